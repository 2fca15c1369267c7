//! The last changes of a kind, for watches that begin in the past.
//!
//! Kinds with sensitive specs keep none: their old versions must not outlive them.

use std::collections::VecDeque;

use super::bookmark::BookmarkError;
use crate::entry::Change;

/// How many changes a kind remembers. The contract's clients rely on tails of up to 100 events; the next power of
/// two, at one pointer pair each.
pub const HISTORY: usize = 128;

/// A change and its place in the store's stream.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) sequence: u64,
    pub(crate) change: Change,
}

#[derive(Debug, Default)]
pub(crate) struct Ring {
    changes: VecDeque<Placed>,
    /// The place of the last change that was forgotten.
    forgotten: u64,
}

impl Ring {
    pub(crate) fn push(&mut self, sequence: u64, change: &Change) {
        if change.entry().spec.is_sensitive() {
            self.changes.clear();
            self.forgotten = sequence;
            return;
        }
        if self.changes.len() == HISTORY
            && let Some(oldest) = self.changes.pop_front()
        {
            self.forgotten = oldest.sequence;
        }
        self.changes.push_back(Placed {
            sequence,
            change: change.clone(),
        });
    }

    /// Whether the kind was ever written.
    pub(crate) fn is_untouched(&self) -> bool {
        self.changes.is_empty() && self.forgotten == 0
    }

    /// The last `count` changes; with an id, of that id.
    pub(crate) fn tail(&self, count: usize, id: Option<&str>) -> Vec<Placed> {
        let mut tail: Vec<_> = self
            .changes
            .iter()
            .rev()
            .filter(|placed| id.is_none_or(|id| *placed.change.entry().metadata.id == *id))
            .take(count)
            .cloned()
            .collect();
        tail.reverse();
        tail
    }

    /// Everything after a place.
    pub(crate) fn after(&self, sequence: u64) -> Result<Vec<Placed>, BookmarkError> {
        if sequence < self.forgotten {
            return Err(BookmarkError::Old);
        }
        Ok(self
            .changes
            .iter()
            .filter(|placed| placed.sequence > sequence)
            .cloned()
            .collect())
    }
}
