//! The kernel's clocks, as far as the node's clock is kept by them: the one place with an effect, so that no test ever has one.

use std::fmt;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use sys::clock::{self, Correction, Leap, Moment};

/// One moment by all clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The node's clock, since 1970.
    pub real: i64,
    /// The hardware's own counter.
    pub raw: u64,
    /// Since boot, sleep included.
    pub boot: u64,
    /// By how much the node's clock is made to run faster than the counter, in parts per billion.
    pub frequency: i64,
    /// Whether somebody has vouched for the node's clock since boot.
    pub trusted: bool,
}

/// What reads and moves the clock.
pub trait Kernel: fmt::Debug + Send + 'static {
    /// What the clocks show.
    ///
    /// # Errors
    /// The kernel does not say.
    fn now(&self) -> io::Result<Now>;

    /// Moves the clock little by little.
    ///
    /// # Errors
    /// The kernel refuses.
    fn slew(&mut self, correction: &Correction) -> io::Result<()>;

    /// Moves it at once, by nanoseconds.
    ///
    /// # Errors
    /// The kernel refuses.
    fn step(&mut self, by: i64, error: Duration, leap: Leap) -> io::Result<()>;

    /// Moves it forward at once, without vouching for it.
    ///
    /// # Errors
    /// The kernel refuses.
    fn advance(&mut self, by: Duration) -> io::Result<()>;
}

/// This machine's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisMachine;

impl Kernel for ThisMachine {
    fn now(&self) -> io::Result<Now> {
        let discipline = clock::discipline()?;
        let Moment { raw, boot } = Moment::now();
        let real = Timestamp::now().as_nanosecond();
        let nanos = |it: Duration| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX);
        Ok(Now {
            real: i64::try_from(real).map_err(io::Error::other)?,
            raw: nanos(raw),
            boot: nanos(boot),
            frequency: discipline.frequency,
            trusted: discipline.synchronized,
        })
    }

    fn slew(&mut self, correction: &Correction) -> io::Result<()> {
        clock::slew(correction)
    }

    fn step(&mut self, by: i64, error: Duration, leap: Leap) -> io::Result<()> {
        clock::step(by, error, leap)
    }

    fn advance(&mut self, by: Duration) -> io::Result<()> {
        let to = Timestamp::now().checked_add(by).map_err(io::Error::other)?;
        crate::runtime::clock::set(to).map_err(io::Error::other)
    }
}
