//! The two clocks that init looks at.
//!
//! Owns: the lower bound of the wall clock: it never starts before this program was built, so that a machine with an
//! empty battery still finds certificates valid. A clock in the far future is left alone: nothing here knows better.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::log::Log;

/// When this program was built, in seconds of the Unix clock; the image builder sets it.
const BUILD_EPOCH: Option<&str> = option_env!("GARBOARD_BUILD_EPOCH");

/// Time since the machine's boot, sleep included.
pub fn since_boot() -> Duration {
    read(ClockId::CLOCK_BOOTTIME)
}

/// Time for deadlines: it never jumps, and does not run while the machine sleeps.
pub(crate) fn now() -> Duration {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Sets the wall clock forward to the build time if it is behind.
pub(crate) fn clamp(log: &Log) {
    let Some(least) = BUILD_EPOCH.and_then(|text| text.parse::<i64>().ok()) else {
        return;
    };
    let clock = read(ClockId::CLOCK_REALTIME);
    if i64::try_from(clock.as_secs()).is_ok_and(|seconds| seconds >= least) {
        return;
    }
    match clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(least, 0)) {
        Ok(()) => log.warn(&format!(
            "the clock was before the build time; set to {least}"
        )),
        Err(errno) => log.error(&format!("set the clock to the build time: {errno}")),
    }
}

fn read(clock: ClockId) -> Duration {
    // These clocks exist on every kernel that runs this program; zero only makes deadlines late.
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}
