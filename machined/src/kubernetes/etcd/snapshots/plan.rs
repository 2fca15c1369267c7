//! When a snapshot is taken, and which ones go. Pure: time is an argument.
//!
//! What counts is the last snapshot that is kept, wherever the node was meanwhile. Clocks jump, so they are never asked which of
//! two snapshots is the newer one: each has a number, and a new one has the next. One that lies further in the future than two are
//! apart was taken by a clock that was wrong, and says nothing. Nothing here waits for longer than it would from now, twice.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// After the first snapshot that could not be taken; doubled every time.
const FIRST_AGAIN: Duration = Duration::from_secs(60);
/// The most it is doubled to.
const LAST_AGAIN: Duration = Duration::from_secs(30 * 60);
/// So often that the last is reached.
const DOUBLINGS: u32 = 5;

const DAY: i64 = 24 * 60 * 60;

/// When snapshots are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// So long after the last one.
    Every(Duration),
    /// At these minutes of every day in UTC, in no order.
    At(Vec<u32>),
}

/// One that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its place in the order they were taken in.
    pub number: u64,
    /// When that was, as the clock had it.
    pub taken: Timestamp,
}

/// Snapshots that could not be taken, since the last that could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// When the last of them was tried.
    pub at: Timestamp,
    /// How many there were.
    pub count: u32,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The numbers of those that go, the oldest first.
    pub remove: Vec<u64>,
    /// When the next is taken; what is not after now is due.
    pub next: Timestamp,
}

impl Plan {
    /// Whether one is to be taken.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next <= now
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl Schedule {
    /// The most that lies between two.
    fn period(&self) -> Duration {
        match self {
            Self::Every(period) => *period,
            Self::At(_) => Duration::from_secs(DAY.unsigned_abs()),
        }
    }

    /// When the next one is taken after one that was taken then.
    fn after(&self, taken: Timestamp) -> Timestamp {
        let minutes = match self {
            Self::Every(period) => return later(taken, *period),
            Self::At(minutes) => minutes,
        };
        let midnight = taken.as_second().div_euclid(DAY) * DAY;
        let days = [midnight, midnight.saturating_add(DAY)].into_iter();
        let times = days.flat_map(|day| {
            let minutes = minutes.iter();
            minutes.map(move |minute| day.saturating_add(i64::from(*minute) * 60))
        });
        let times = times.filter_map(|it| Timestamp::from_second(it).ok());
        times
            .filter(|it| *it > taken)
            .min()
            .unwrap_or(Timestamp::MAX)
    }

    /// When the next one is taken after `newest`; one that never was is due.
    fn next(&self, now: Timestamp, newest: Option<Timestamp>) -> Timestamp {
        match newest {
            Some(taken) if taken <= later(now, self.period()) => self.after(taken),
            _ => now,
        }
    }
}

/// What is to be done about the snapshots that are kept, of which so many stay.
#[must_use]
pub fn plan(
    now: Timestamp,
    kept: &[Kept],
    schedule: &Schedule,
    keep: usize,
    failed: Option<Failed>,
) -> Plan {
    let mut numbers: Vec<_> = kept.iter().map(|it| it.number).collect();
    numbers.sort_unstable();
    numbers.truncate(kept.len().saturating_sub(keep.max(1)));
    let newest = kept.iter().max_by_key(|it| it.number);
    let next = schedule.next(now, newest.map(|it| it.taken));
    // A clock that was set back would have it wait for long.
    let failed = failed.filter(|it| it.at <= now);
    let again = failed.map(|Failed { at, count }| {
        let pause = FIRST_AGAIN * 2_u32.pow(count.saturating_sub(1).min(DOUBLINGS));
        later(at, pause.min(LAST_AGAIN))
    });
    Plan {
        remove: numbers,
        next: again.map_or(next, |again| again.max(next)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn kept(number: u64, taken: &str) -> Kept {
        Kept {
            number,
            taken: at(taken),
        }
    }

    fn next(now: &str, kept: &[Kept], schedule: &Schedule) -> Timestamp {
        plan(at(now), kept, schedule, 7, None).next
    }

    #[test]
    fn it_goes_on_from_the_last_one() {
        let every = Schedule::Every(6 * HOUR);
        let (morning, now) = ([kept(3, "2026-11-22T06:00:00Z")], "2026-11-22T08:00:00Z");
        assert_eq!(next(now, &[], &every), at(now));
        let noon = at("2026-11-22T12:00:00Z");
        assert_eq!(next(now, &morning, &every), noon);
        // The node was down for days: one makes up for all.
        let later = next("2026-11-25T08:00:00Z", &morning, &every);
        assert_eq!(later, noon);
        assert!(later <= at("2026-11-25T08:00:00Z"));
    }

    #[test]
    fn it_is_taken_at_times_of_the_day() {
        let daily = Schedule::At(vec![14 * 60 + 30, 150]);
        for (taken, expected) in [
            ("2026-11-22T02:29:59.9Z", "2026-11-22T02:30:00Z"),
            ("2026-11-22T02:30:00Z", "2026-11-22T14:30:00Z"),
            ("2026-11-22T14:30:01Z", "2026-11-23T02:30:00Z"),
            ("2026-12-31T23:59:59Z", "2027-01-01T02:30:00Z"),
        ] {
            assert_eq!(next(taken, &[kept(1, taken)], &daily), at(expected));
        }
    }

    #[test]
    fn a_clock_that_was_wrong_is_not_waited_for() {
        let every = Schedule::Every(6 * HOUR);
        let now = "2026-11-22T08:00:00Z";
        // A little ahead: another node's clock, or this one's before it was put right.
        let ahead = [kept(1, "2026-11-22T08:05:00Z")];
        assert_eq!(next(now, &ahead, &every), at("2026-11-22T14:05:00Z"));
        let far = [kept(2, "2027-11-22T08:00:00Z"), kept(1, now)];
        assert_eq!(next(now, &far, &every), at(now));
        // The next one has the next number, and is the newest from then on, whatever the clock says.
        let after = [kept(2, "2027-11-22T08:00:00Z"), kept(3, now)];
        assert_eq!(next(now, &after, &every), at("2026-11-22T14:00:00Z"));
    }

    #[test]
    fn what_failed_is_tried_less_and_less_often() {
        let every = Schedule::Every(6 * HOUR);
        let now = at("2026-11-22T08:00:00Z");
        let after = |count| {
            let failed = Some(Failed { at: now, count });
            let next = plan(now, &[], &every, 7, failed).next;
            next.duration_since(now).as_secs()
        };
        assert_eq!([1, 2, 3, 6, 100].map(after), [60, 120, 240, 1800, 1800]);
        let failed = Some(Failed {
            at: later(now, HOUR),
            count: 9,
        });
        assert!(plan(now, &[], &every, 7, failed).is_due(now));
    }

    #[test]
    fn the_oldest_go_by_their_number() {
        let all = [
            kept(4, "2020-01-01T00:00:00Z"),
            kept(2, "2026-11-22T08:00:00Z"),
            kept(3, "2027-01-01T00:00:00Z"),
        ];
        let every = Schedule::Every(6 * HOUR);
        let remove = |keep| plan(at("2026-11-22T08:00:00Z"), &all, &every, keep, None).remove;
        assert_eq!(remove(3), [0; 0]);
        assert_eq!(remove(2), [2]);
        assert_eq!(remove(1), [2, 3]);
        assert_eq!(remove(0), [2, 3], "the newest stays");
    }

    fn schedule() -> impl Strategy<Value = Schedule> {
        prop_oneof![
            (300_u64..100_000).prop_map(|it| Schedule::Every(Duration::from_secs(it))),
            proptest::collection::vec(0_u32..1440, 1..5).prop_map(Schedule::At),
        ]
    }

    proptest! {
        /// However the clock jumps: a snapshot is taken once and then waited for, not longer than twice what lies between two.
        #[test]
        fn no_jump_makes_it_run_wild_or_stand_still(
            schedule in schedule(),
            jumps in proptest::collection::vec(-10_000_000_i64..10_000_000, 1..20),
            keep in 1_usize..5,
        ) {
            let mut now = at("2026-11-22T08:00:00Z");
            let mut all: Vec<Kept> = Vec::new();
            for jump in jumps {
                now = now.checked_add(SignedDuration::from_secs(jump)).unwrap();
                let planned = plan(now, &all, &schedule, keep, None);
                let most = later(now, 2 * schedule.period());
                prop_assert!(planned.next <= most, "{planned:?}");
                if planned.is_due(now) {
                    let number = all.iter().map(|it| it.number).max().unwrap_or(0) + 1;
                    all.push(Kept { number, taken: now });
                    prop_assert!(!plan(now, &all, &schedule, keep, None).is_due(now));
                }
                let gone = plan(now, &all, &schedule, keep, None).remove;
                all.retain(|it| !gone.contains(&it.number));
                prop_assert!(all.len() <= keep);
            }
        }

        /// With a clock that goes as it should, one is taken every time and never twice.
        #[test]
        fn none_is_missed(schedule in schedule()) {
            let start = at("2026-11-22T08:00:00Z");
            let mut last = Kept { number: 1, taken: start };
            let mut taken = 0_u32;
            let step = Duration::from_secs(60);
            let mut now = start;
            while now < later(start, Duration::from_secs(3 * 86_400)) {
                now = later(now, step);
                if plan(now, &[last], &schedule, 1, None).is_due(now) {
                    last = Kept { number: last.number + 1, taken: now };
                    taken += 1;
                }
            }
            let expected = match &schedule {
                Schedule::Every(period) => u32::try_from(3 * 86_400 / period.as_secs()).unwrap(),
                Schedule::At(minutes) => {
                    let different: std::collections::BTreeSet<_> = minutes.iter().collect();
                    3 * u32::try_from(different.len()).unwrap()
                }
            };
            // Of short periods a minute is a part.
            prop_assert!(taken <= expected && taken >= expected - expected / 5 - 1, "{taken} of {expected}");
        }
    }
}
