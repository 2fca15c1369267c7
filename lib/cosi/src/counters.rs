//! What controllers have done since their process started, for whoever measures it.
//!
//! Exact, unlike a [`ControllerStatus`](crate::status::ControllerStatus), which is written only when it says something
//! new; and of this process alone.

use std::sync::Arc;

use crate::board::Board;

/// What one controller has done, and what waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerCounts {
    /// Its name.
    pub name: &'static str,
    /// The runs that have ended.
    pub runs: u64,
    /// How many of them failed.
    pub failures: u64,
    /// The reasons for another run that came since the last one began; after a failure there is always one.
    pub waiting: usize,
}

/// Counts the controllers of a runtime, those that are registered later included. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Counters {
    pub(crate) board: Arc<Board>,
}

impl Counters {
    /// All controllers, in the order in which they were registered.
    #[must_use]
    pub fn now(&self) -> Vec<ControllerCounts> {
        self.board.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::Dirty;

    #[test]
    fn runs_failures_and_what_waits_are_counted() {
        let board = Arc::new(Board::new(true));
        let counters = Counters {
            board: Arc::clone(&board),
        };
        let (slot, _) = board.add("one");
        let now = || {
            let counts = counters.now();
            let [one] = counts.as_slice() else {
                unreachable!("one controller was added")
            };
            (one.name, one.runs, one.failures, one.waiting)
        };
        assert_eq!(now(), ("one", 0, 0, 1));
        board.take(slot);
        board.fail(slot);
        assert_eq!(now(), ("one", 1, 1, 1));
        board.take(slot);
        board.finish(slot);
        assert_eq!(now(), ("one", 2, 1, 0));
        board.mark(slot, Dirty::set_triggered);
        assert_eq!(now(), ("one", 2, 1, 1));
    }
}
