//! What happened on the node, in order: a bounded ring that readers follow.
//!
//! An event is for people: one line that says what changed. Resources are the truth; events are the story. The ring
//! never blocks a writer; a reader that falls behind the ring sees from the ids how many it missed.

pub mod status;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

/// How many events are kept; the field's usual figure.
pub const HISTORY: usize = 1000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position since the daemon started, from 1.
    pub id: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What kind of thing, such as `stage` or `service`.
    pub kind: &'static str,
    /// What it happened to, such as a service's name.
    pub subject: String,
    /// One line for people.
    pub message: String,
    /// Details for programs.
    pub fields: BTreeMap<String, String>,
}

/// The ring of events; shared by reference among tasks.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<VecDeque<Event>>,
    newest: watch::Sender<u64>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            ring: Mutex::new(VecDeque::with_capacity(HISTORY)),
            newest: watch::Sender::new(0),
        }
    }
}

impl Events {
    /// Records an event at `now`.
    pub fn record(&self, now: Timestamp, kind: &'static str, subject: &str, message: String) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let id = ring.back().map_or(1, |event| event.id + 1);
        if ring.len() == HISTORY {
            ring.pop_front();
        }
        let subject = subject.to_owned();
        ring.push_back(Event {
            id,
            time: now,
            kind,
            subject,
            message,
            fields: BTreeMap::new(),
        });
        self.newest.send_replace(id);
    }

    /// The events after position `after`, oldest first.
    #[must_use]
    pub fn after(&self, after: u64) -> Vec<Event> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter()
            .filter(|event| event.id > after)
            .cloned()
            .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(count: usize) -> Events {
        let events = Events::default();
        for number in 0..count {
            events.record(
                Timestamp::UNIX_EPOCH,
                "test",
                "subject",
                format!("event {number}"),
            );
        }
        events
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let events = recorded(HISTORY + 5);
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
        let events = recorded(10);
        let last = events.after(events.position_before_last(3));
        assert_eq!(
            last.iter().map(|event| event.id).collect::<Vec<_>>(),
            [8, 9, 10]
        );
    }
}
