//! A line of a log, and how it is written for others.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::runtime::kmsg::Record;

/// What the kernel calls its levels (syslog(2)), by their numbers; as in the kind `Console`.
const LEVELS: [&str; 8] = [
    "emergency",
    "alert",
    "critical",
    "error",
    "warning",
    "notice",
    "info",
    "debug",
];

/// The name of the kernel as a source.
pub(super) const KERNEL: &str = "kernel";

/// What a line takes besides its text, roughly, in bytes: without it empty lines would cost nothing.
const BESIDE: usize = 96;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// `kernel`, or the service.
    pub(super) source: Arc<str>,
    /// Where its log is to be read on after it.
    pub(super) after: u64,
    pub(super) time: Timestamp,
    pub(super) level: Option<&'static str>,
    pub(super) message: String,
}

impl Line {
    /// What it takes in memory, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.message.len() + BESIDE
    }

    /// A record of the kernel; `booted` is when it began to count.
    pub(super) fn of_kernel(record: Record, booted: Timestamp) -> Self {
        let since = i64::try_from(record.micros).unwrap_or(i64::MAX);
        let time = booted.checked_add(SignedDuration::from_micros(since));
        Self {
            source: KERNEL.into(),
            after: record.sequence.saturating_add(1),
            time: time.unwrap_or(booted),
            level: LEVELS.get(usize::from(record.level)).copied(),
            message: record.text,
        }
    }

    /// A line of a service, read at `now`. Lines of the node's own daemons begin with their time and level, and others may as well.
    pub(super) fn of_service(source: Arc<str>, after: u64, text: &[u8], now: Timestamp) -> Self {
        let text = String::from_utf8_lossy(text);
        let text = text.trim_end_matches(['\r', '\n']);
        let (time, rest) = match text.split_once(' ') {
            Some((first, rest)) => match first.parse::<Timestamp>() {
                Ok(time) => (Some(time), rest),
                Err(_) => (None, text),
            },
            None => (None, text),
        };
        let (level, message) = match time.and(rest.trim_start().split_once(' ')) {
            Some((word, after)) => match known(word) {
                Some(level) => (Some(level), after),
                None => (None, rest),
            },
            None => (None, rest),
        };
        Self {
            source,
            after,
            time: time.unwrap_or(now),
            level,
            message: message.to_owned(),
        }
    }
}

/// The levels that our daemons write.
fn known(word: &str) -> Option<&'static str> {
    Some(match word {
        "ERROR" => "error",
        "WARN" => "warning",
        "INFO" => "info",
        "DEBUG" => "debug",
        "TRACE" => "trace",
        _ => return None,
    })
}

/// What all lines of a destination have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) node: String,
    /// Names and values.
    pub(super) tags: Vec<(String, String)>,
}

impl Common {
    /// A line as JSON, with a line break at its end and none before.
    pub(super) fn write(&self, line: &Line) -> Vec<u8> {
        let mut fields = self.fields(line.time, &line.source, line.level);
        fields.insert("message".to_owned(), line.message.clone().into());
        ended(fields)
    }

    /// What is said of lines that are not there.
    pub(super) fn write_lost(&self, lost: u64, now: Timestamp) -> Vec<u8> {
        let mut fields = self.fields(now, "machined", Some("warning"));
        let message = format!("{lost} older lines are lost: there was no room for them to wait");
        fields.insert("message".to_owned(), message.into());
        fields.insert("lost".to_owned(), lost.into());
        ended(fields)
    }

    fn fields(&self, time: Timestamp, source: &str, level: Option<&str>) -> Map<String, Value> {
        let tags = self.tags.iter().cloned();
        let mut fields: Map<_, _> = tags.map(|(name, value)| (name, value.into())).collect();
        fields.insert("time".to_owned(), time.to_string().into());
        fields.insert("node".to_owned(), self.node.clone().into());
        fields.insert("source".to_owned(), source.into());
        if let Some(level) = level {
            fields.insert("level".to_owned(), level.into());
        }
        fields
    }
}

fn ended(fields: Map<String, Value>) -> Vec<u8> {
    let mut bytes = Value::Object(fields).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn service(text: &str) -> Line {
        let now = Timestamp::from_second(1).unwrap();
        Line::of_service("networkd".into(), 9, text.as_bytes(), now)
    }

    #[test]
    fn the_daemons_own_lines_have_a_time_and_a_level() {
        let line = service("2026-11-21T19:00:00.5Z  WARN networkd: a link=eth0\n");
        assert_eq!(line.time.to_string(), "2026-11-21T19:00:00.5Z");
        assert_eq!(line.level, Some("warning"));
        assert_eq!(line.message, "networkd: a link=eth0");
    }

    #[test]
    fn other_lines_are_as_they_are() {
        for text in ["", "INFO a", "2026 INFO a", " a  b"] {
            let line = service(text);
            assert_eq!((line.time.as_second(), line.level), (1, None));
            assert_eq!(line.message, text);
        }
        let line = service("2026-11-21T19:00:00Z  up and ready");
        assert_eq!((line.level, &*line.message), (None, " up and ready"));
    }

    #[test]
    fn a_record_of_the_kernel_has_the_time_since_it_began() {
        let record = Record {
            level: 4,
            facility: 0,
            sequence: 7,
            micros: 2_500_000,
            text: "a".to_owned(),
        };
        let line = Line::of_kernel(record, Timestamp::from_second(10).unwrap());
        assert_eq!(line.time.to_string(), "1970-01-01T00:00:12.5Z");
        assert_eq!((line.level, line.after), (Some("warning"), 8));
    }

    proptest! {
        #[test]
        fn a_line_is_one_object_on_one_line(text: Vec<u8>, node in "[a-z]{1,9}", tag in ".{0,20}") {
            let line = Line::of_service("a".into(), 0, &text, Timestamp::UNIX_EPOCH);
            let tags = vec![("rack".to_owned(), tag.clone())];
            let bytes = Common { node: node.clone(), tags }.write(&line);
            prop_assert_eq!(bytes.iter().position(|it| *it == b'\n'), Some(bytes.len() - 1));
            let read: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(&read["node"], &Value::from(node));
            prop_assert_eq!(&read["source"], "a");
            prop_assert_eq!(&read["rack"], &Value::from(tag));
            prop_assert_eq!(&read["message"], &Value::from(line.message));
        }
    }
}
