//! An event, and its line in a log: `TIME INFO KIND SUBJECT: MESSAGE`, which begins as the lines of the node's daemons do.

use std::str::FromStr as _;

use jiff::Timestamp;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position, from 1; each life of this daemon counts from the oldest that is still there.
    pub id: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What kind of thing, such as `stage` or `service`: one word.
    pub kind: String,
    /// What it happened to, such as a service's name: one word.
    pub subject: String,
    /// One line for people.
    pub message: String,
}

/// Makes one word of a text.
pub(super) fn word(text: &str) -> String {
    let plain = |it: char| it.is_whitespace() || it.is_control();
    text.replace(plain, "_")
}

/// Makes one line of a text.
pub(super) fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The line of an event, with its end.
pub(super) fn write(event: &Event) -> String {
    let Event {
        time,
        kind,
        subject,
        message,
        ..
    } = event;
    format!("{time} INFO {kind} {subject}: {message}\n")
}

/// The events that a log tells of, numbered from 1; what is no event was cut off.
pub fn all(text: &[u8]) -> impl Iterator<Item = Event> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let whole = lines.filter_map(|line| str::from_utf8(line.strip_suffix(b"\n")?).ok());
    let parts = whole.filter_map(parse);
    (1..).zip(parts).map(|(id, event)| Event { id, ..event })
}

fn parse(line: &str) -> Option<Event> {
    let (time, rest) = line.split_once(" INFO ")?;
    let (kind, rest) = rest.split_once(' ')?;
    let (subject, message) = rest.split_once(": ")?;
    Some(Event {
        id: 0,
        time: Timestamp::from_str(time).ok()?,
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_of_an_event() {
        for (subject, message) in [
            ("eth0/fe80::1/64", "assigned"),
            ("networkd", "failed: no: such thing INFO here"),
            ("", ""),
        ] {
            let event = Event {
                id: 1,
                time: Timestamp::from_str("2026-11-21T10:00:00.123456789Z").expect("a time"),
                kind: "test".to_owned(),
                subject: subject.to_owned(),
                message: message.to_owned(),
            };
            let text = write(&event);
            assert_eq!(all(text.as_bytes()).collect::<Vec<_>>(), [event]);
        }
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        for text in [
            "\n",
            "2026-11-21T10:00:00Z INFO test a: cut of",
            "yesterday INFO test a: b\n",
            "2026-11-21T10:00:00Z WARN test a: b\n",
            "2026-11-21T10:00:00Z INFO test a\n",
        ] {
            assert_eq!(all(text.as_bytes()).count(), 0, "{text:?}");
        }
        assert_eq!(
            all(b"\xff\n2026-11-21T10:00:00Z INFO test a: b\n").count(),
            1
        );
    }
}
