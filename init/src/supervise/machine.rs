//! The step function.
//!
//! Owns: the phases of the picture in the parent module. Every phase but `Running` ends by itself in bounded time.

use std::time::Duration;

use sys::kmsg::Level;
use sys::link::FromInit;

use super::child::Child;
use super::{
    ASK_LIMIT, Action, Daemon, End, Event, Exit, KILL_LIMIT, STALL, STOP_ALL_LIMIT, STOP_LIMIT,
    TICK,
};

/// Where the machine is between boot and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Daemons are kept running. Leaves when the end is asked for.
    Running,
    /// machined was asked to do its part. Leaves when it says how to end, is gone, or time is up.
    Asked { end: End, until: Duration },
    /// machined was asked to end; the network stays until it has. Leaves when it is gone; killed when time is up.
    StopMachined { end: End, until: Duration },
    /// Everything was asked to end. Leaves when nobody is left, or time is up.
    StopAll { end: End, until: Duration },
    /// Everything was killed. Leaves when nobody is left, or time is up.
    KillAll { end: End, until: Duration },
    /// The last action was given.
    Finished,
}

/// The state of it all.
#[derive(Debug, Clone)]
pub struct Supervisor {
    phase: Phase,
    machined: Child,
    networkd: Child,
    last_step: Duration,
}

impl Supervisor {
    /// Nothing is started yet; the first step does.
    pub fn new(now: Duration) -> Self {
        Self {
            phase: Phase::Running,
            machined: Child::new(Daemon::Machined),
            networkd: Child::new(Daemon::Networkd),
            last_step: now,
        }
    }

    /// One daemon.
    pub fn child(&self, daemon: Daemon) -> &Child {
        match daemon {
            Daemon::Machined => &self.machined,
            Daemon::Networkd => &self.networkd,
        }
    }

    /// When the next step is due, whatever happens: never more than [`TICK`] away.
    pub fn deadline(&self) -> Duration {
        let phase = match self.phase {
            Phase::Asked { until, .. }
            | Phase::StopMachined { until, .. }
            | Phase::StopAll { until, .. }
            | Phase::KillAll { until, .. } => Some(until),
            Phase::Running | Phase::Finished => None,
        };
        let children = Daemon::ALL
            .iter()
            .filter_map(|daemon| self.child(*daemon).deadline());
        children
            .chain(phase)
            .min()
            .map_or(self.last_step + TICK, |due| due.min(self.last_step + TICK))
    }

    /// Takes in what happened and says what to do.
    pub fn step(&mut self, event: &Event, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if now.saturating_sub(self.last_step) > STALL {
            let gap = now.saturating_sub(self.last_step).as_secs();
            actions.push(Action::Log(
                Level::Warning,
                format!("stood still for {gap} s"),
            ));
            Daemon::ALL
                .iter()
                .for_each(|daemon| self.child_mut(*daemon).heard_of(now));
        }
        self.last_step = now;
        self.take_in(event, now, &mut actions);
        match self.phase {
            Phase::Running | Phase::Asked { .. } => self.keep_running(now, &mut actions),
            _ => {}
        }
        self.pass_time(now, &mut actions);
        actions
    }

    fn child_mut(&mut self, daemon: Daemon) -> &mut Child {
        match daemon {
            Daemon::Machined => &mut self.machined,
            Daemon::Networkd => &mut self.networkd,
        }
    }

    fn take_in(&mut self, event: &Event, now: Duration, actions: &mut Vec<Action>) {
        match event {
            Event::Started(daemon, pid) => self.started(*daemon, *pid, now, actions),
            Event::NotStarted(daemon, error) => {
                self.child_mut(*daemon).not_started(error, now);
                self.report_end(*daemon, now, actions);
            }
            Event::Exited(pid, exit) => {
                if let Some(daemon) = Daemon::ALL
                    .into_iter()
                    .find(|d| self.child(*d).pid() == Some(*pid))
                {
                    self.exited(daemon, *exit, now, actions);
                }
            }
            Event::Ping(daemon) => self.child_mut(*daemon).heard_of(now),
            Event::Ready(daemon) => {
                self.child_mut(*daemon).became_ready(now);
                actions.push(Action::Log(
                    Level::Info,
                    format!("{} is ready", daemon.name()),
                ));
            }
            Event::EndWanted(end) => {
                if matches!(self.phase, Phase::Running | Phase::Asked { .. }) {
                    actions.push(Action::Log(
                        Level::Info,
                        format!("machined wants: {}", end.word()),
                    ));
                    self.stop_machined(*end, now, actions);
                }
            }
            Event::Signalled(end) => {
                if self.phase == Phase::Running {
                    actions.push(Action::Log(
                        Level::Info,
                        format!("a signal wants: {}", end.word()),
                    ));
                    self.ask(*end, now, actions);
                }
            }
            Event::Childless => match self.phase {
                Phase::StopAll { end, .. } | Phase::KillAll { end, .. } => {
                    self.finish(end, actions)
                }
                _ => {}
            },
            Event::Tick => {}
        }
    }

    fn started(&mut self, daemon: Daemon, pid: u32, now: Duration, actions: &mut Vec<Action>) {
        self.child_mut(daemon).started(pid, now);
        let safe = if self.child(daemon).is_safe() {
            ", in safe mode"
        } else {
            ""
        };
        let text = format!("started {} as process {pid}{safe}", daemon.name());
        actions.push(Action::Log(Level::Info, text));
        let told: &[Daemon] = if daemon == Daemon::Machined {
            &Daemon::ALL
        } else {
            &[daemon]
        };
        for daemon in told {
            actions.push(Action::Tell(FromInit::Child(self.child(*daemon).status())));
        }
        // It was forked while the machine was already going down.
        if !matches!(self.phase, Phase::Running | Phase::Asked { .. }) {
            actions.push(Action::Terminate(pid));
        }
    }

    fn exited(&mut self, daemon: Daemon, exit: Exit, now: Duration, actions: &mut Vec<Action>) {
        let was_safe = self.child(daemon).is_safe();
        self.child_mut(daemon).exited(exit, now);
        match self.phase {
            Phase::Running => self.report_end(daemon, now, actions),
            Phase::Asked { end, .. } if daemon == Daemon::Machined => {
                self.over(daemon, actions);
                self.stop_all(end, now, actions);
                return;
            }
            Phase::StopMachined { end, .. } => {
                self.over(daemon, actions);
                if daemon == Daemon::Machined {
                    self.stop_all(end, now, actions);
                }
                return;
            }
            Phase::Asked { .. }
            | Phase::StopAll { .. }
            | Phase::KillAll { .. }
            | Phase::Finished => {
                self.over(daemon, actions);
                return;
            }
        }
        match (was_safe, self.child(daemon).is_safe()) {
            (false, true) => actions.push(Action::Log(
                Level::Error,
                "machined failed too often: safe mode".into(),
            )),
            (true, false) => {
                actions.push(Action::Log(Level::Info, "machined leaves safe mode".into()))
            }
            _ => {}
        }
    }

    fn over(&mut self, daemon: Daemon, actions: &mut Vec<Action>) {
        let text = format!("{} ended ({})", daemon.name(), self.child(daemon).reason());
        actions.push(Action::Log(Level::Info, text));
        self.child_mut(daemon).end("the machine goes down");
        actions.push(Action::Tell(FromInit::Child(self.child(daemon).status())));
    }

    fn report_end(&self, daemon: Daemon, now: Duration, actions: &mut Vec<Action>) {
        let child = self.child(daemon);
        let wait = child.waits(now).as_secs();
        let text = format!(
            "{} {}; next start in {wait} s",
            daemon.name(),
            child.reason()
        );
        actions.push(Action::Log(Level::Warning, text));
        actions.push(Action::Tell(FromInit::Child(child.status())));
    }

    fn keep_running(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let asked = self.phase != Phase::Running;
        for daemon in Daemon::ALL {
            if let Some(pid) = self.child_mut(daemon).silence(now) {
                let text = format!("{} is silent, killing process {pid}", daemon.name());
                actions.push(Action::Log(Level::Error, text));
                actions.push(Action::Kill(pid));
            }
            // On the way down nothing new begins.
            if !asked && let Some(start) = self.child_mut(daemon).start_if_due(now) {
                actions.push(Action::Start(daemon, start));
            }
        }
    }

    fn pass_time(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Asked { end, until } if until <= now => self.stop_machined(end, now, actions),
            Phase::StopMachined { end, until } if until <= now => {
                if let Some(pid) = self.machined.pid() {
                    actions.push(Action::Log(
                        Level::Warning,
                        "machined does not end: killed".into(),
                    ));
                    actions.push(Action::Kill(pid));
                }
                self.stop_all(end, now, actions);
            }
            Phase::StopAll { end, until } if until <= now => {
                actions.push(Action::Log(
                    Level::Warning,
                    "some processes do not end: killed".into(),
                ));
                actions.push(Action::KillAll);
                self.phase = Phase::KillAll {
                    end,
                    until: now + KILL_LIMIT,
                };
            }
            Phase::KillAll { end, until } if until <= now => {
                actions.push(Action::Log(
                    Level::Error,
                    "some processes cannot be killed".into(),
                ));
                self.finish(end, actions);
            }
            _ => {}
        }
    }

    fn ask(&mut self, end: End, now: Duration, actions: &mut Vec<Action>) {
        if self.machined.pid().is_none() {
            return self.stop_machined(end, now, actions);
        }
        actions.push(Action::Tell(FromInit::Shutdown));
        self.phase = Phase::Asked {
            end,
            until: now + ASK_LIMIT,
        };
    }

    fn stop_machined(&mut self, end: End, now: Duration, actions: &mut Vec<Action>) {
        match self.machined.pid() {
            Some(pid) => {
                actions.push(Action::Terminate(pid));
                self.phase = Phase::StopMachined {
                    end,
                    until: now + STOP_LIMIT,
                };
            }
            None => self.stop_all(end, now, actions),
        }
    }

    fn stop_all(&mut self, end: End, now: Duration, actions: &mut Vec<Action>) {
        actions.push(Action::Log(Level::Info, "stopping all processes".into()));
        actions.push(Action::TerminateAll);
        self.phase = Phase::StopAll {
            end,
            until: now + STOP_ALL_LIMIT,
        };
    }

    fn finish(&mut self, end: End, actions: &mut Vec<Action>) {
        self.phase = Phase::Finished;
        actions.push(Action::Finish(end));
    }
}

impl End {
    /// The end as one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::Poweroff => "poweroff",
            Self::Halt => "halt",
        }
    }
}
