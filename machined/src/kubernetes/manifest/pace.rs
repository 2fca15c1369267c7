//! When the cluster is asked again for what manifests have. Pure.
//!
//! A round asks for every object that is not on the list yet, so that it is not begun for whatever happens on the node; and what the
//! cluster rejects it most likely rejects again, until somebody changes it or something else in the cluster.

use std::time::Duration;

use tokio::time::Instant;

/// How soon a cluster is asked again that broke off or rejected something, and one that has all: it may be another one by then, from a
/// snapshot of its state.
const SOON: Duration = Duration::from_secs(3);
const LATER: Duration = Duration::from_secs(600);

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The cluster has all.
    All,
    /// It does not take something.
    Rejected,
    /// It could not be asked for all.
    Cut,
}

/// When the next round is due that follows from some facts.
#[derive(Debug)]
pub(super) struct Pace<F> {
    /// Those, and when.
    due: Option<(F, Instant)>,
    /// How long the last wait was after something was rejected.
    waited: Duration,
}

impl<F> Default for Pace<F> {
    fn default() -> Self {
        Self {
            due: None,
            waited: Duration::ZERO,
        }
    }
}

impl<F: PartialEq> Pace<F> {
    /// How long the round that follows from these facts is to wait for; `None`: it is due. That of other facts than before always is.
    pub(super) fn wait(&mut self, facts: &F, now: Instant) -> Option<Duration> {
        let known = self.due.as_ref().filter(|(of, _)| of == facts);
        let Some((_, due)) = known else {
            *self = Self::default();
            return None;
        };
        let wait = due.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// The round that follows from these facts has ended; gives how long the next one is to wait for.
    pub(super) fn ended(&mut self, facts: F, end: End, now: Instant) -> Duration {
        self.waited = match end {
            End::All => Duration::ZERO,
            End::Rejected => self.waited.saturating_mul(2).clamp(SOON, LATER),
            End::Cut => self.waited,
        };
        let wait = match end {
            End::All => LATER,
            End::Rejected => self.waited,
            End::Cut => SOON,
        };
        self.due = Some((facts, now + wait));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_before_it_is_time_but_for_other_facts() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.wait(&1, now), None);
        assert_eq!(pace.ended(1, End::All, now), LATER);
        let second = Duration::from_secs(1);
        assert_eq!(pace.wait(&1, now + second), Some(LATER - second));
        assert_eq!(pace.wait(&1, now + LATER), None);
        assert_eq!(pace.wait(&2, now + second), None);
    }

    #[test]
    fn what_is_rejected_again_and_again_is_asked_for_ever_more_seldom() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let rejected = |pace: &mut Pace<u8>| {
            pace.wait(&1, now);
            pace.ended(1, End::Rejected, now).as_secs()
        };
        let waits: Vec<_> = (0..10).map(|_| rejected(&mut pace)).collect();
        assert_eq!(waits, [3, 6, 12, 24, 48, 96, 192, 384, 600, 600]);
        // A server that goes away says nothing of what it rejects.
        assert_eq!(pace.ended(1, End::Cut, now), SOON);
        assert_eq!(rejected(&mut pace), 600);
        pace.wait(&2, now);
        assert_eq!(pace.ended(2, End::Rejected, now), SOON);
    }
}
