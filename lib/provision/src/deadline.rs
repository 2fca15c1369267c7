//! Waiting for a condition, never for an amount of time.

use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};

/// How often a condition is looked at: often enough that nobody notices, seldom enough to cost nothing.
const STEP: u16 = 20;

/// The moment at which waiting is given up.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// A deadline this far from now.
    pub fn after(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// This deadline or one that is this far from now, whichever comes first.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        let sooner = Self::after(limit);
        if sooner.at < self.at { sooner } else { self }
    }

    /// The time given in all, for messages.
    pub fn limit(self) -> Duration {
        self.limit
    }

    /// What is left; `None` when it has passed.
    pub fn left(self) -> Option<Duration> {
        self.at
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    /// Looks at a condition until it gives a value; `None` when the deadline passed first.
    pub fn until<T>(self, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            if let Some(value) = condition() {
                return Some(value);
            }
            self.left()?;
            pause();
        }
    }

    /// The same for a condition that can fail; `Ok(None)` when the deadline passed first.
    pub(crate) fn try_until<T, E>(
        self,
        mut condition: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        self.until(|| condition().transpose()).transpose()
    }
}

/// One step of waiting. An interrupted one is just a shorter one.
fn pause() {
    let _interrupted = poll(&mut [], PollTimeout::from(STEP));
}
