//! The machine's clock: read as an argument elsewhere, set here alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};
use thiserror::Error;

use crate::config::Moment;

/// A difference below this is no reason to step: a person's own clock is not better than that.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// The kernel refused the new time.
#[derive(Debug, Error)]
#[error("setting the clock to {to}")]
pub struct ClockError {
    to: Timestamp,
    #[source]
    source: nix::Error,
}

/// Tells moments that no one can step, and by which a boot is told from another.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Moment + Send + Sync>);

impl Clock {
    /// The clock of this boot, by the kernel's name for it.
    #[must_use]
    pub fn of(boot_id: &str) -> Self {
        let boot = boot_id.to_owned();
        Self::new(move || Moment {
            boot: boot.clone(),
            since_boot: since_boot(),
        })
    }

    /// A clock that says what it is told to.
    pub fn new(says: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self(Arc::new(says))
    }

    /// The moment it is.
    #[must_use]
    pub fn now(&self) -> Moment {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Since the kernel started, sleep included; what the kernel counts the starts of processes in. The clock exists on every
/// kernel that runs this program.
#[must_use]
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// A time that the kernel counts in ticks, as in `/proc/PID/stat`: hundredths of a second on every kernel we run. A process
/// would have to run for half a million years for it to be too long.
#[must_use]
pub fn ticks(count: u64) -> Duration {
    Duration::from_micros(count.saturating_mul(1_000_000) / procfs::ticks_per_second().max(1))
}

/// When this program was built: no clock of a node that runs it is earlier.
#[must_use]
pub fn built() -> Timestamp {
    let seconds = option_env!("GARBOARD_BUILD_EPOCH")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The time to step to, if `asked` is worth a step at `now`: never below `built`.
#[must_use]
pub fn step(now: Timestamp, asked: Timestamp, built: Timestamp) -> Option<Timestamp> {
    let to = asked.max(built);
    (to.duration_since(now).abs() > TOLERANCE).then_some(to)
}

/// Sets the clock.
///
/// # Errors
/// The kernel refuses, as it does without the right to.
pub fn set(to: Timestamp) -> Result<(), ClockError> {
    let time = TimeSpec::new(to.as_second(), to.subsec_nanosecond().into());
    clock_settime(ClockId::CLOCK_REALTIME, time).map_err(|source| ClockError { to, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_clock_is_stepped_only_when_it_is_worth_it() {
        assert_eq!(step(at(1000), at(1001), at(0)), None);
        assert_eq!(step(at(1000), at(5000), at(0)), Some(at(5000)));
        assert_eq!(
            step(at(4_070_908_800), at(5000), at(0)),
            Some(at(5000)),
            "2099 comes back"
        );
    }

    #[test]
    fn no_caller_moves_the_clock_below_the_build() {
        assert_eq!(step(at(1000), at(0), at(900)), Some(at(900)));
        assert_eq!(step(at(900), at(0), at(900)), None);
    }
}
