//! How long to wait after a failure: doubling, bounded, reset by success. No randomness, so that a run with the same
//! inputs is the same run; the peers are one process, there is no herd to break up.

use std::time::Duration;

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Short enough that a person does not notice one failure.
    pub(crate) const FIRST: Duration = Duration::from_millis(100);
    /// Long enough that a lasting failure costs nothing, short enough that its end is noticed.
    pub(crate) const MOST: Duration = Duration::from_secs(60);

    /// One more failure; how long to wait before the next attempt.
    pub(crate) fn fail(&mut self) -> Duration {
        let wait = Self::FIRST.saturating_mul(2u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        wait.min(Self::MOST)
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn failures(self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_bound_and_starts_anew() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.fail(), Backoff::FIRST);
        assert_eq!(backoff.fail(), Backoff::FIRST * 2);
        for _ in 0..100 {
            backoff.fail();
        }
        assert_eq!(backoff.fail(), Backoff::MOST);
        backoff.reset();
        assert_eq!(backoff.fail(), Backoff::FIRST);
    }
}
