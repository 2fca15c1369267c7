//! One daemon's life: running or waiting, how often it failed, when to try again.
//!
//! Owns: the restart policy. Never decides about the machine's end.

use std::collections::VecDeque;
use std::time::Duration;

use sys::link::{ChildState, ChildStatus, Start};

use super::{
    BACKOFF_FIRST, BACKOFF_LAST, Daemon, Exit, PEACE, SAFE_STARTS, SAFE_WINDOW, SILENCE_LIMIT,
};

/// Where a daemon is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// No process; leaves to `Starting` at the given time.
    Waiting(Duration),
    /// A start was asked for; leaves when its result comes.
    Starting,
    /// A process runs; leaves when it ends.
    Running {
        /// The process.
        pid: u32,
        /// When it started.
        since: Duration,
        /// When it was last heard of.
        heard: Duration,
        /// Whether it said READY.
        ready: bool,
        /// Whether it was killed for its silence.
        silenced: bool,
    },
    /// No process and no more starts: the machine goes down.
    Over,
}

/// One daemon as the supervisor keeps it.
#[derive(Debug, Clone)]
pub struct Child {
    pub(super) daemon: Daemon,
    pub(super) life: Life,
    /// Counts all starts.
    epoch: u64,
    /// Counts restarts since the last life in peace.
    restarts: u32,
    /// The next wait.
    backoff: Duration,
    /// When the latest failed starts ended.
    failures: VecDeque<Duration>,
    /// Lives in a row that never became ready. A hung daemon needs 30 s to be found out, so five of them do not fit
    /// into the window; they count by themselves.
    never_ready: usize,
    safe: bool,
    /// Whether the last start failed before there was a process.
    failed: bool,
    reason: String,
}

impl Child {
    pub(super) fn new(daemon: Daemon) -> Self {
        Self {
            daemon,
            life: Life::Waiting(Duration::ZERO),
            epoch: 0,
            restarts: 0,
            backoff: BACKOFF_FIRST,
            failures: VecDeque::new(),
            never_ready: 0,
            safe: false,
            failed: false,
            reason: "boot".to_owned(),
        }
    }

    /// The running process.
    pub fn pid(&self) -> Option<u32> {
        match self.life {
            Life::Running { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Whether the next or present life is one in safe mode.
    pub fn is_safe(&self) -> bool {
        self.safe
    }

    /// When this daemon needs a step of its own.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.life {
            Life::Waiting(until) => Some(until),
            Life::Running {
                heard,
                silenced: false,
                ..
            } => Some(heard + SILENCE_LIMIT),
            _ => None,
        }
    }

    /// Begins a start if one is due.
    pub(super) fn start_if_due(&mut self, now: Duration) -> Option<Start> {
        match self.life {
            Life::Waiting(until) if until <= now => {
                self.life = Life::Starting;
                self.epoch += 1;
                Some(Start {
                    epoch: self.epoch,
                    safe: self.safe,
                    restarts: self.restarts,
                    reason: self.reason.clone(),
                })
            }
            _ => None,
        }
    }

    pub(super) fn started(&mut self, pid: u32, now: Duration) {
        self.failed = false;
        self.life = Life::Running {
            pid,
            since: now,
            heard: now,
            ready: false,
            silenced: false,
        };
    }

    pub(super) fn not_started(&mut self, error: &str, now: Duration) {
        self.failed = true;
        self.reason = format!("could not be started: {error}");
        self.start_failed(now, false);
        self.wait(now);
    }

    pub(super) fn heard_of(&mut self, now: Duration) {
        if let Life::Running { heard, .. } = &mut self.life {
            *heard = now;
        }
    }

    pub(super) fn became_ready(&mut self, now: Duration) {
        if let Life::Running { heard, ready, .. } = &mut self.life {
            (*heard, *ready) = (now, true);
        }
    }

    /// The process, when it has been silent for too long and was not killed yet.
    pub(super) fn silence(&mut self, now: Duration) -> Option<u32> {
        match &mut self.life {
            Life::Running {
                pid,
                heard,
                silenced,
                ..
            } if !*silenced && *heard + SILENCE_LIMIT <= now => {
                *silenced = true;
                Some(*pid)
            }
            _ => None,
        }
    }

    /// Its process ended. Whether safe mode begins or ends with it is told by [`Child::is_safe`] before and after.
    pub(super) fn exited(&mut self, exit: Exit, now: Duration) {
        let Life::Running {
            since,
            ready,
            silenced,
            ..
        } = self.life
        else {
            return;
        };
        self.reason = match (silenced, exit) {
            (true, _) => format!("silent for {} s", SILENCE_LIMIT.as_secs()),
            (false, Exit::Code(code)) => format!("exited with status {code}"),
            (false, Exit::Signal(signal)) => format!("killed by signal {signal}"),
        };
        if ready && !silenced && now.saturating_sub(since) >= PEACE {
            self.forgive();
        } else {
            self.start_failed(now, ready);
        }
        // This is how machined leaves safe mode: it got a config it wants to try.
        if self.safe && exit == Exit::Code(0) && !silenced {
            self.safe = false;
            self.forgive();
        }
        self.wait(now);
    }

    pub(super) fn end(&mut self, reason: &str) {
        self.life = Life::Over;
        self.reason = reason.to_owned();
    }

    /// The wait before the coming start, for the log.
    pub(super) fn waits(&self, now: Duration) -> Duration {
        match self.life {
            Life::Waiting(until) => until.saturating_sub(now),
            _ => Duration::ZERO,
        }
    }

    /// Why the last life ended.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The daemon as machined is told.
    pub fn status(&self) -> ChildStatus {
        let state = match self.life {
            Life::Running { .. } => ChildState::Running,
            Life::Over => ChildState::Exited,
            _ if self.failed => ChildState::Failed,
            _ => ChildState::Restarting,
        };
        ChildStatus {
            name: self.daemon.name().to_owned(),
            pid: self.pid().unwrap_or(0),
            state,
            restarts: self.restarts,
            reason: self.reason.clone(),
        }
    }

    fn wait(&mut self, now: Duration) {
        self.restarts = self.restarts.saturating_add(1);
        self.life = Life::Waiting(now + self.backoff);
        self.backoff = (self.backoff * 2).min(BACKOFF_LAST);
    }

    fn forgive(&mut self) {
        self.restarts = 0;
        self.backoff = BACKOFF_FIRST;
        self.failures.clear();
        self.never_ready = 0;
    }

    fn start_failed(&mut self, now: Duration, ready: bool) {
        self.never_ready = if ready { 0 } else { self.never_ready + 1 };
        self.failures.push_back(now);
        self.failures
            .retain(|at| now.saturating_sub(*at) <= SAFE_WINDOW);
        let hopeless = self.failures.len() >= SAFE_STARTS || self.never_ready >= SAFE_STARTS;
        if self.daemon == Daemon::Machined && hopeless && !self.safe {
            self.safe = true;
            self.failures.clear();
            self.never_ready = 0;
        }
    }
}
