//! The clocks of the kernel, and its discipline of the one that people read (`adjtimex`).
//!
//! Owns: reading the clocks, one step, one gradual correction, and word when the clock is set. Never decides what the time is.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use libc::timex;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{self, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

/// The most that the kernel makes up gradually (`MAXPHASE`).
pub const MAX_SLEW: Duration = Duration::from_millis(500);

const NANOS: i64 = 1_000_000_000;

/// Later than any machine runs, and within what the kernel's timers can hold: the year 2255.
const NEVER: i64 = 9_000_000_000;

/// One moment as the two clocks show it that nobody can set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The hardware's own counter: no correction touches it, and it stands still while the machine sleeps.
    pub raw: Duration,
    /// Since boot, sleep included.
    pub boot: Duration,
}

impl Moment {
    /// This one. Both clocks exist on every kernel that runs this program.
    #[must_use]
    pub fn now() -> Self {
        let read = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
        Self {
            raw: read(ClockId::CLOCK_MONOTONIC_RAW),
            boot: read(ClockId::CLOCK_BOOTTIME),
        }
    }
}

/// What the last minute of the day does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    /// It has 60 seconds.
    #[default]
    None,
    /// It has 61.
    Insert,
    /// It has 59.
    Delete,
}

/// Where the kernel's discipline stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discipline {
    /// By how much the clock is made to run faster than the hardware's counter, in parts per billion.
    pub frequency: i64,
    /// Whether somebody has vouched for the clock since boot, and not too long ago.
    pub synchronized: bool,
}

/// What the kernel is told of the time. It makes up the offset little by little, and learns from it how fast the hardware's counter
/// runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// How far the clock is behind, in nanoseconds; at most [`MAX_SLEW`] either way counts.
    pub offset: i64,
    /// The power of two of the seconds between two corrections, less four: 1 for 32 seconds (`ntp_adjtime`'s constant).
    pub time_constant: u8,
    /// How far off the time may be after it.
    pub error: Duration,
    /// The leap second to come.
    pub leap: Leap,
}

/// Where the kernel's discipline stands. Everybody may ask.
///
/// # Errors
/// None that a kernel with the call gives.
pub fn discipline() -> io::Result<Discipline> {
    let mut state = empty();
    adjust(&mut state)?;
    Ok(Discipline {
        // 65536 is a millionth.
        frequency: state.freq * 1000 / 65_536,
        synchronized: state.status & libc::STA_UNSYNC == 0,
    })
}

/// Tells the kernel what time it is, so that it corrects the clock without a jump, and that the clock can be trusted.
///
/// # Errors
/// The kernel refuses, as it does without `CAP_SYS_TIME`.
pub fn slew(correction: &Correction) -> io::Result<()> {
    adjust(&mut slewing(correction))
}

/// Moves the clock by so many nanoseconds at once, and says that it can be trusted.
///
/// # Errors
/// The kernel refuses, as it does without `CAP_SYS_TIME`.
pub fn step(by: i64, error: Duration, leap: Leap) -> io::Result<()> {
    adjust(&mut stepping(by, error, leap))
}

fn slewing(correction: &Correction) -> timex {
    let most = i64::try_from(MAX_SLEW.as_nanos()).unwrap_or(i64::MAX);
    let mut state = trusted(correction.error, correction.leap);
    state.modes |= libc::ADJ_OFFSET | libc::ADJ_TIMECONST;
    state.offset = correction.offset.clamp(-most, most);
    state.constant = i64::from(correction.time_constant);
    state
}

fn stepping(by: i64, error: Duration, leap: Leap) -> timex {
    let mut state = trusted(error, leap);
    state.modes |= libc::ADJ_SETOFFSET;
    state.time.tv_sec = by.div_euclid(NANOS);
    // With ADJ_NANO these are nanoseconds, and the kernel wants them to count forward.
    state.time.tv_usec = by.rem_euclid(NANOS);
    state
}

fn trusted(error: Duration, leap: Leap) -> timex {
    let mut state = empty();
    state.modes = libc::ADJ_NANO | libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
    state.status = libc::STA_PLL
        | match leap {
            Leap::None => 0,
            Leap::Insert => libc::STA_INS,
            Leap::Delete => libc::STA_DEL,
        };
    // These are microseconds whatever else is said.
    let micros = i64::try_from(error.as_micros()).unwrap_or(i64::MAX);
    (state.maxerror, state.esterror) = (micros, micros);
    state
}

fn empty() -> timex {
    // SAFETY: timex is made of integers alone, for which all bits zero are a value; it has private padding, so it cannot be written
    // out field by field.
    unsafe { std::mem::zeroed() }
}

fn adjust(state: &mut timex) -> io::Result<()> {
    // SAFETY: adjtimex reads and writes one timex; `state` is one, exclusively ours for the call. No safe crate that we have wraps it.
    Errno::result(unsafe { libc::adjtimex(state) })?;
    Ok(())
}

/// A descriptor that becomes readable when somebody sets the clock, or the machine wakes from sleep.
#[derive(Debug)]
pub struct SetWatch {
    timer: TimerFd,
}

impl SetWatch {
    /// Watches from now on.
    ///
    /// # Errors
    /// The process may not open any more descriptors.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(timerfd::ClockId::CLOCK_REALTIME, flags)?;
        let watch = Self { timer };
        watch.arm()?;
        Ok(watch)
    }

    /// Takes note of what has happened, and watches on.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn acknowledge(&self) -> io::Result<()> {
        match self.timer.wait() {
            Ok(()) | Err(Errno::EAGAIN | Errno::ECANCELED) => self.arm(),
            Err(errno) => Err(errno.into()),
        }
    }

    fn arm(&self) -> io::Result<()> {
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let never = Expiration::OneShot(TimeSpec::new(NEVER, 0));
        Ok(self.timer.set(never, flags)?)
    }
}

impl AsRawFd for SetWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What changes the clock is never called by a test: it would be the host's.

    #[test]
    fn the_kernel_is_asked_without_any_right() {
        let found = discipline().unwrap();
        // The kernel keeps it within 500 millionths.
        assert!(found.frequency.abs() <= 500_000, "{found:?}");
        let (first, second) = (Moment::now(), Moment::now());
        assert!(first.raw <= second.raw && first.boot <= second.boot);
    }

    #[test]
    fn a_correction_in_the_kernels_words() {
        let told = slewing(&Correction {
            offset: -900_000_000,
            time_constant: 6,
            error: Duration::from_millis(3),
            leap: Leap::Insert,
        });
        assert_eq!((told.offset, told.constant), (-500_000_000, 6));
        assert_eq!((told.maxerror, told.esterror), (3000, 3000));
        assert_eq!(told.status, libc::STA_PLL | libc::STA_INS);
        assert_eq!(told.modes & libc::ADJ_SETOFFSET, 0);
        assert_ne!(told.modes & libc::ADJ_OFFSET, 0);
    }

    #[test]
    fn a_step_back_counts_forward_from_an_earlier_second() {
        let told = stepping(-1, Duration::ZERO, Leap::None);
        assert_eq!((told.time.tv_sec, told.time.tv_usec), (-1, 999_999_999));
        assert_eq!(told.modes & libc::ADJ_OFFSET, 0);
        let told = stepping(3_000_000_001, Duration::ZERO, Leap::None);
        assert_eq!((told.time.tv_sec, told.time.tv_usec), (3, 1));
    }

    #[test]
    fn a_clock_that_nobody_sets_says_nothing() {
        let watch = SetWatch::new().unwrap();
        watch.acknowledge().unwrap();
        assert_eq!(watch.timer.wait(), Err(Errno::EAGAIN));
    }
}
