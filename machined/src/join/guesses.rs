//! Counts wrong tokens by where they came from. Pure.
//!
//! A token is 256 bits of chance, so nobody guesses it. This keeps a mistyped one from filling logs, and a stranger from keeping the
//! node busy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::Source;

/// Wrong tokens until their source has to wait.
const MOST: u32 = 5;
/// How long from the first of them.
const WAIT: Duration = Duration::from_secs(60);
/// Sources that are remembered; the one that began first is forgotten for another.
const SOURCES: usize = 1024;

/// Wrong tokens of the last minute.
#[derive(Debug, Default)]
pub(super) struct Guesses(BTreeMap<Source, (u32, Instant)>);

impl Guesses {
    /// Whether tokens of a source are looked at.
    pub(super) fn listens(&self, source: Source, now: Instant) -> bool {
        self.0
            .get(&source)
            .is_none_or(|(count, since)| *count < MOST || now.duration_since(*since) >= WAIT)
    }

    /// Notes a wrong one.
    pub(super) fn wrong(&mut self, source: Source, now: Instant) {
        self.0
            .retain(|_, (_, since)| now.duration_since(*since) < WAIT);
        if self.0.len() >= SOURCES && !self.0.contains_key(&source) {
            let oldest = self.0.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(oldest) = oldest.map(|(source, _)| *source) {
                self.0.remove(&oldest);
            }
        }
        self.0.entry(source).or_insert((0, now)).0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(number: u32) -> Source {
        Source::of(Ipv4Addr::from(number).into())
    }

    #[test]
    fn a_source_waits_for_a_minute_and_no_other_does() {
        let (mut guesses, now) = (Guesses::default(), Instant::now());
        for _ in 0..MOST {
            assert!(guesses.listens(source(1), now));
            guesses.wrong(source(1), now);
        }
        assert!(!guesses.listens(source(1), now));
        assert!(guesses.listens(source(2), now));
        assert!(guesses.listens(source(1), now + WAIT));
        guesses.wrong(source(1), now + WAIT);
        assert!(guesses.listens(source(1), now + WAIT));
    }

    #[test]
    fn it_stays_small() {
        let (mut guesses, now) = (Guesses::default(), Instant::now());
        for number in 0..2 * 1024 {
            guesses.wrong(
                source(number),
                now + Duration::from_millis(u64::from(number)),
            );
        }
        assert_eq!(guesses.0.len(), SOURCES);
        assert!(guesses.0.contains_key(&source(2047)));
    }
}
