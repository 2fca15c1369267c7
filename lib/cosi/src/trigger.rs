//! Waking a controller from outside: for callbacks and tasks that are no stream.

use std::fmt;
use std::sync::Arc;

use crate::board::{Board, SlotId};

/// Wakes one controller. Cheap to clone; firing never blocks, and any number of firings before a run are one.
#[derive(Clone)]
pub struct Trigger {
    pub(crate) board: Arc<Board>,
    pub(crate) slot: SlotId,
}

impl Trigger {
    /// Asks for a run, with [`Dirty::is_triggered`](crate::Dirty::is_triggered) set.
    pub fn fire(&self) {
        self.board
            .mark(self.slot, crate::dirty::Dirty::set_triggered);
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}
