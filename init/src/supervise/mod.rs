//! What PID 1 does about its daemons and about the end of the machine.
//!
//! Owns: [`Supervisor`], a pure state machine: events and the time go in, actions come out. Never touches a process,
//! a socket or a clock; `stage2::driver` does, and feeds back what happened.
//!
//! ```text
//!            signal                 REBOOT, POWEROFF, HALT, or time is up, or machined is gone
//!  Running ----------> Asked ---------------------------------------------.
//!     |                                                                   v
//!     '---- REBOOT, POWEROFF, HALT --------------------------------> StopMachined
//!                                                                         | gone, or killed
//!                     Finished <---- KillAll <---- StopAll <--------------'
//!                              nobody left, or time is up
//! ```

mod child;
mod machine;

pub use child::{Child, Life};
pub use machine::Supervisor;

use std::time::Duration;

use sys::kmsg::Level;
use sys::link::{FromInit, Start};

/// The daemons that init keeps running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Daemon {
    /// The head: state, config, services, API.
    Machined,
    /// The hands of the network.
    Networkd,
}

impl Daemon {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 2] = [Self::Machined, Self::Networkd];

    /// The daemon's name, which is also its program's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Machined => "machined",
            Self::Networkd => "networkd",
        }
    }
}

/// How the machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It starts again.
    Reboot,
    /// It is switched off.
    Poweroff,
    /// It stops, still powered.
    Halt,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A start that was asked for succeeded.
    Started(Daemon, u32),
    /// A start that was asked for failed, and why.
    NotStarted(Daemon, String),
    /// A process ended; most are not daemons but orphans.
    Exited(u32, Exit),
    /// The daemon pinged.
    Ping(Daemon),
    /// The daemon does its work.
    Ready(Daemon),
    /// machined wants the machine to end.
    EndWanted(End),
    /// A signal asks for an orderly end.
    Signalled(End),
    /// No process is left but this one.
    Childless,
    /// Nothing but time passing.
    Tick,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start this daemon. Its stored descriptors go first, then this START.
    Start(Daemon, Start),
    /// Ask this process to end.
    Terminate(u32),
    /// End this process.
    Kill(u32),
    /// Ask every other process to end.
    TerminateAll,
    /// End every other process.
    KillAll,
    /// Send this to machined, if it is there.
    Tell(FromInit),
    /// Write this to the log.
    Log(Level, String),
    /// Sync, unmount, and end the machine. The last action of all.
    Finish(End),
}

/// A daemon silent for so long is killed. Pings are due every 5 s.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// A gap this long between two steps means that init itself, or the whole machine, stood still: a step is due every
/// [`TICK`]. Daemons are not blamed for it.
pub const STALL: Duration = Duration::from_secs(10);
/// The longest time without a step.
pub const TICK: Duration = Duration::from_secs(5);
/// The first wait before a restart; doubled each time.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait before a restart.
pub const BACKOFF_LAST: Duration = Duration::from_secs(30);
/// A life that was ready and lasted so long was no failed start, and forgives the ones before.
pub const PEACE: Duration = Duration::from_secs(30);
/// So many failed starts within [`SAFE_WINDOW`] lead to safe mode.
pub const SAFE_STARTS: usize = 5;
/// See [`SAFE_STARTS`].
pub const SAFE_WINDOW: Duration = Duration::from_secs(120);
/// How long machined may take for its part after a signal asked for the end: most of it is for pods, which have 30 seconds.
pub const ASK_LIMIT: Duration = Duration::from_secs(60);
/// How long machined may take to end after SIGTERM.
pub const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long everything else may take to end after SIGTERM.
pub const STOP_ALL_LIMIT: Duration = Duration::from_secs(5);
/// How long killed processes may take to be gone: one stuck in the kernel never is.
pub const KILL_LIMIT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
