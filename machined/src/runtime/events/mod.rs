//! What happened on the node, in order: a bounded ring that readers follow, written down in a log of its own.
//!
//! An event is for people: one line that says what changed. Resources are the truth; events are the story. The ring
//! never blocks a writer; a reader that falls behind the ring sees from the ids how many it missed. The log is what the
//! next life of this daemon begins with, and is kept on disk and sent elsewhere as every other.

mod event;
pub mod status;

pub use event::{Event, all};

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::logs::{LogError, Logs};

/// How many events are kept; the field's usual figure.
pub const HISTORY: usize = 1000;

/// The log of events. No service may be called so.
pub const LOG: &str = "events";

/// The ring of events; shared by reference among tasks.
#[derive(Debug)]
pub struct Events {
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    ring: VecDeque<Event>,
    /// Where they are written down; none where that is not possible, which costs their history alone.
    log: Option<File>,
}

impl Default for Events {
    fn default() -> Self {
        Self::begin(VecDeque::new(), None)
    }
}

impl Events {
    /// The events of the lives before this one, and those to come, which are written down among logs.
    #[must_use]
    pub fn of(logs: &Logs) -> Self {
        let before = read(logs).unwrap_or_else(|error| {
            tracing::error!("the events of before: {}", cosi::report(&error));
            VecDeque::new()
        });
        let log = open(&logs.folder().join(format!("{LOG}.log")));
        let log = log.inspect_err(|error| tracing::error!(%error, "the log of events"));
        Self::begin(before, log.ok())
    }

    fn begin(ring: VecDeque<Event>, log: Option<File>) -> Self {
        let newest = ring.back().map_or(0, |event| event.id);
        Self {
            kept: Mutex::new(Kept { ring, log }),
            newest: watch::Sender::new(newest),
        }
    }

    /// Records an event at `now`.
    pub fn record(&self, now: Timestamp, kind: &str, subject: &str, message: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let event = Event {
            id: kept.ring.back().map_or(1, |event| event.id + 1),
            time: now,
            kind: event::word(kind),
            subject: event::word(subject),
            message: event::plain(message),
        };
        let id = event.id;
        kept.write(&event);
        kept.push(event);
        self.newest.send_replace(id);
    }

    /// The events after position `after`, oldest first.
    #[must_use]
    pub fn after(&self, after: u64) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let after = kept.ring.iter().filter(|event| event.id > after);
        after.cloned().collect()
    }

    /// The position to start from so that `count` events come first.
    #[must_use]
    pub fn position_before_last(&self, count: u64) -> u64 {
        self.newest.borrow().saturating_sub(count)
    }

    /// A handle that changes with every event.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

impl Kept {
    fn push(&mut self, event: Event) {
        if self.ring.len() == HISTORY {
            self.ring.pop_front();
        }
        self.ring.push_back(event);
    }

    /// At once, so that a line is there whole or not at all when this process is killed.
    fn write(&mut self, event: &Event) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = log.write_all(event::write(event).as_bytes()) {
            tracing::error!(%error, "the log of events");
        }
    }
}

/// The events that were written down, the last of them.
fn read(logs: &Logs) -> Result<VecDeque<Event>, LogError> {
    let mut reader = match logs.open(LOG, u32::try_from(HISTORY).ok()) {
        Err(LogError::Unknown { .. }) => return Ok(VecDeque::new()),
        opened => opened?,
    };
    let mut text = Vec::new();
    while let Some(chunk) = reader.next_ready()? {
        text.extend(chunk);
    }
    Ok(event::all(&text).collect())
}

/// Opens the log; a last line that has no end is ended, or the next one would be lost with it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut log = options.append(true).read(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if let Some(at) = log.metadata()?.len().checked_sub(1) {
        log.read_exact_at(&mut last, at)?;
    }
    if last != [b'\n'] {
        log.write_all(b"\n")?;
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn record(events: &Events, count: usize) {
        for number in 0..count {
            let message = format!("event {number}");
            events.record(Timestamp::UNIX_EPOCH, "test", "subject", &message);
        }
    }

    fn messages(events: &Events) -> Vec<String> {
        let all = events.after(0).into_iter();
        all.map(|event| event.message).collect()
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let events = Events::default();
        record(&events, HISTORY + 5);
        let all = events.after(0);
        assert_eq!(all.len(), HISTORY);
        assert_eq!(all.first().map(|event| event.id), Some(6));
        assert_eq!(
            all.last().map(|event| event.message.as_str()),
            Some("event 1004")
        );
    }

    #[test]
    fn a_tail_starts_where_asked() {
        let events = Events::default();
        record(&events, 10);
        let last = events.after(events.position_before_last(3));
        assert_eq!(
            last.iter().map(|event| event.id).collect::<Vec<_>>(),
            [8, 9, 10]
        );
    }

    #[test]
    fn a_killed_life_leaves_its_events_to_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = Logs::new(folder.path().to_owned());
        record(&Events::of(&logs), 2);
        // It was killed within a line, as a disk that is full leaves one too.
        let path = folder.path().join("events.log");
        let mut text = fs::read(&path).expect("the log");
        text.extend(b"2026-11-21T10:00:00Z INFO test sub");
        fs::write(&path, text).expect("written");
        let events = Events::of(&logs);
        assert_eq!(messages(&events), ["event 0", "event 1"]);
        events.record(Timestamp::UNIX_EPOCH, "test", "a b", "two\nlines");
        let events = Events::of(&logs);
        assert_eq!(messages(&events), ["event 0", "event 1", "two lines"]);
        let last = events.after(2);
        assert_eq!((last[0].id, last[0].subject.as_str()), (3, "a_b"));
    }

    #[test]
    fn without_a_folder_there_are_events_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let events = Events::of(&Logs::new(folder.path().join("none")));
        record(&events, 2);
        assert_eq!(messages(&events), ["event 0", "event 1"]);
    }
}
