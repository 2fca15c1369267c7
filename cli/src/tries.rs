//! Asking until an answer settles a question, where a try may hang for ever.
//!
//! A machine that is down does not answer at all, and a try that began then may never notice that it is up again: TCP
//! repeats an unanswered SYN after 1, 3, 7, 15... seconds, and a port that somebody forwards takes a connection and
//! keeps silent. So tries do not wait for each other: one begins at every interval, and what settles the question is
//! whichever answers first.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, anyhow};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// When tries begin, and when one is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// From the beginning of a try to that of the next.
    pub(crate) interval: Duration,
    /// How long one try may take; with `interval` this bounds how many there are at once.
    pub(crate) longest: Duration,
}

/// How many tries that hang there are at once where they may take longer: enough to notice soon that one would not, and not more than
/// a slow machine can bear.
const AT_ONCE: u32 = 8;

impl Pace {
    /// The same where one try may take so long.
    pub(crate) fn with_tries_of(self, longest: Duration) -> Self {
        Self {
            interval: self.interval.max(longest / AT_ONCE),
            longest,
        }
    }
}

/// Tries until `settles` makes something of an outcome. It never ends by itself: the caller drops it when that takes too
/// long, and with it the tries under way.
pub(crate) async fn until<T, U, F>(
    pace: Pace,
    attempt: impl Fn() -> F,
    mut settles: impl FnMut(Result<T>) -> Option<U>,
) -> U
where
    F: Future<Output = Result<T>>,
{
    let mut beginnings = interval(pace.interval);
    beginnings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tries = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = beginnings.tick() => tries.push(timeout(pace.longest, attempt())),
            Some(ended) = tries.next() => {
                let outcome = ended.unwrap_or_else(|_| {
                    Err(anyhow!("no answer in {} s", pace.longest.as_secs()))
                });
                if let Some(settled) = settles(outcome) {
                    return settled;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn run<T>(task: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.expect("a runtime").block_on(task)
    }

    /// The n-th try, counted from one.
    fn count(begun: &Cell<u32>) -> u32 {
        begun.set(begun.get() + 1);
        begun.get()
    }

    #[test]
    fn a_try_that_hangs_does_not_keep_the_next_from_beginning() {
        let begun = Cell::new(0);
        let attempt = || {
            let number = count(&begun);
            async move {
                match number {
                    1 | 2 => std::future::pending().await,
                    3 => Err(anyhow!("refused")),
                    _ => Ok(number),
                }
            }
        };
        // So long that a try which waited for another would never come to an end.
        let pace = Pace {
            interval: Duration::from_millis(1),
            longest: Duration::from_secs(86_400),
        };
        assert_eq!(run(until(pace, attempt, Result::ok)), 4);
    }

    #[test]
    fn longer_tries_are_not_more_at_once() {
        let pace = Pace {
            interval: Duration::from_secs(2),
            longest: Duration::from_secs(10),
        };
        let same = pace.with_tries_of(pace.longest);
        assert_eq!(same.interval, pace.interval);
        let slower = pace.with_tries_of(Duration::from_secs(80));
        let seconds = (slower.interval.as_secs(), slower.longest.as_secs());
        assert_eq!(seconds, (10, 80));
    }

    #[test]
    fn a_try_is_given_up() {
        let pace = Pace {
            interval: Duration::from_secs(86_400),
            longest: Duration::from_millis(1),
        };
        let told = run(until(pace, std::future::pending::<Result<()>>, Result::err));
        assert_eq!(told.to_string(), "no answer in 0 s");
    }
}
