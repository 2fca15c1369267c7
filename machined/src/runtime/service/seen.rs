//! One service as it is seen, and what happens to it.
//!
//! ```text
//!            start                    ended by itself, nobody left
//!   Down ------------> Up --------------------------------------------> Down
//!                      | |  ended by itself, others of its group left
//!                 stop | '-------------> Remnants --killed, nobody left--> Down
//!                      v                    ^
//!                  Stopping ----------------'  its main process ended, others are left
//!                      '--killed when its time is up, nobody left--> Down
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use resources::runtime::ServiceRestart;
use serde::{Deserialize, Serialize};

use super::rules::{Name, Rules};

/// The first wait before a restart; doubled each time.
pub(super) const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait before a restart.
pub(super) const BACKOFF_LAST: Duration = Duration::from_secs(60);
/// A life that lasted so long was a good one, and forgives the ones before: twice the longest wait.
pub(super) const PEACE: Duration = Duration::from_secs(120);
/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By the kernel, for memory.
    Starved,
    /// It was another's child, and nobody told.
    Unknown,
    /// It never was; why.
    NotStarted(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Starved => f.write_str("killed by the kernel, which had no more memory for it"),
            Self::Unknown => f.write_str("ended while machined was away, nobody knows how"),
            Self::NotStarted(why) => write!(f, "could not be started: {why}"),
        }
    }
}

/// Where a service is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Life {
    /// No process. Leaves by a start.
    #[default]
    Down,
    /// Its main process runs. Leaves when that ends, or is asked to.
    Up {
        /// What was started.
        identity: String,
        /// When, since the machine's boot.
        since: Duration,
    },
    /// Its main process was asked to end. Leaves when it has; killed when its time is up.
    Stopping {
        /// When it was asked.
        since: Duration,
        /// Whether it was killed.
        killed: bool,
    },
    /// Its main process is gone and others that it started are not. Leaves when nobody is left.
    Remnants {
        /// Whether they were killed.
        killed: bool,
    },
}

impl Life {
    pub(super) fn is_killed(&self) -> bool {
        matches!(
            self,
            Self::Stopping { killed: true, .. } | Self::Remnants { killed: true }
        )
    }
}

/// What there is to start a service from that has an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Root {
    /// Nothing. Leaves by a pull.
    #[default]
    Nothing,
    /// This image is being pulled. Leaves when that is done, or failed.
    Pulls(String),
    /// This image is there.
    There(String),
}

/// How the last life of a service ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// How its main process ended.
    pub(super) exit: Exit,
    /// When, since the machine's boot.
    pub(super) at: Duration,
    /// What had been started.
    pub(super) identity: String,
    /// Whether it had been asked to.
    pub(super) asked: bool,
}

/// One service as it is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Where it is.
    pub(super) life: Life,
    /// What it was started after, to stop it before that.
    pub(super) after: BTreeSet<Name>,
    /// How it ended last.
    pub(super) last: Option<Ended>,
    /// How often it was started again.
    pub(super) restarts: u32,
    /// Ends in a row that nobody had asked for, none after a good life.
    pub(super) failures: u32,
    /// An operator wants it down.
    pub(super) held: bool,
    /// An operator wants it ended and started again.
    pub(super) again: bool,
    /// What the last look at its health said. Not kept: who adopts it looks anew.
    #[serde(skip)]
    pub(super) healthy: Option<bool>,
    /// What it can be started from. Not kept: who adopts it asks anew.
    #[serde(skip)]
    pub(super) root: Root,
}

impl Seen {
    pub(super) fn is_down(&self) -> bool {
        self.life == Life::Down
    }

    /// It was started.
    pub(super) fn started(&mut self, rules: &Rules, now: Duration) {
        if self.last.as_ref().is_some_and(|last| !last.asked) {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.life = Life::Up {
            identity: rules.identity.clone(),
            since: now,
        };
        self.after = rules.before_it().cloned().collect();
        (self.again, self.healthy) = (false, None);
    }

    /// It could not be started.
    pub(super) fn not_started(&mut self, rules: &Rules, why: String, now: Duration) {
        let (exit, identity) = (Exit::NotStarted(why), rules.identity.clone());
        self.over(exit, identity, now, false, Duration::ZERO);
        (self.life, self.again) = (Life::Down, false);
    }

    /// It was asked to end.
    pub(super) fn asked_to_end(&mut self, now: Duration) {
        if let Life::Up { identity, .. } = &self.life {
            // How it really ends is filled in when it has.
            self.last = Some(Ended {
                exit: Exit::Unknown,
                at: now,
                identity: identity.clone(),
                asked: true,
            });
            self.life = Life::Stopping {
                since: now,
                killed: false,
            };
        }
    }

    /// All of its group were killed.
    pub(super) fn killed(&mut self) {
        match &mut self.life {
            Life::Stopping { killed, .. } | Life::Remnants { killed } => *killed = true,
            Life::Down | Life::Up { .. } => {}
        }
    }

    /// Its main process has ended; `others` of its group may be left.
    pub(super) fn main_ended(&mut self, exit: Exit, others: bool, now: Duration) {
        let mut killed = false;
        match &self.life {
            Life::Up { identity, since } => {
                let (identity, lasted) = (identity.clone(), now.saturating_sub(*since));
                self.over(exit, identity, now, false, lasted);
            }
            Life::Stopping { killed: by_us, .. } => {
                killed = *by_us;
                let identity = self.last.take().map(|last| last.identity);
                self.over(
                    exit,
                    identity.unwrap_or_default(),
                    now,
                    true,
                    Duration::ZERO,
                );
            }
            Life::Down | Life::Remnants { .. } => return,
        }
        self.life = if others {
            Life::Remnants { killed }
        } else {
            Life::Down
        };
        self.healthy = None;
    }

    /// Nobody of its group is left.
    pub(super) fn emptied(&mut self) {
        if matches!(self.life, Life::Remnants { .. }) {
            self.life = Life::Down;
        }
    }

    /// Processes of its group were found that nobody has noted: their start was cut short.
    pub(super) fn strangers_found(&mut self) {
        if self.is_down() {
            self.life = Life::Remnants { killed: false };
        }
    }

    /// An operator wants it to run, from now on.
    pub(super) fn order_start(&mut self) {
        self.held = false;
        if self.is_down() {
            (self.last, self.failures) = (None, 0);
        }
    }

    /// An operator wants it down until further notice.
    pub(super) fn order_stop(&mut self) {
        (self.held, self.again) = (true, false);
    }

    /// An operator wants it to end and be started again.
    pub(super) fn order_restart(&mut self) {
        self.order_start();
        self.again = matches!(self.life, Life::Up { .. });
    }

    fn over(&mut self, exit: Exit, identity: String, at: Duration, asked: bool, lasted: Duration) {
        self.failures = match asked {
            true => 0,
            false if lasted >= PEACE => 1,
            false => self.failures.saturating_add(1),
        };
        self.last = Some(Ended {
            exit,
            at,
            identity,
            asked,
        });
    }

    /// When it may be started again.
    pub(super) fn rested_at(&self) -> Duration {
        let Some(last) = self.last.as_ref().filter(|last| !last.asked) else {
            return Duration::ZERO;
        };
        let doublings = self.failures.saturating_sub(1).min(16);
        last.at + (BACKOFF_FIRST * 2_u32.pow(doublings)).min(BACKOFF_LAST)
    }

    /// Whether it has ended as its rules have it, and stays so.
    pub(super) fn is_over(&self, rules: &Rules) -> Option<&Ended> {
        let last = self.last.as_ref().filter(|last| !last.asked)?;
        let stays = match rules.restart {
            ServiceRestart::Always => false,
            ServiceRestart::OnFailure => last.exit == Exit::Code(0),
            ServiceRestart::Never => true,
        };
        (self.is_down() && stays && last.identity == rules.identity).then_some(last)
    }
}
