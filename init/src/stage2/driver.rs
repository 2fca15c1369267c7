//! The loop of PID 1: waits, gathers what happened, asks the supervisor, does what it says.
//!
//! Owns: the links, the stored descriptors, the signals and the only call of waitpid(-1). It decides nothing.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use sys::link::{self, FromInit, InitEnd, LinkError, Received, Start, ToInit};

use super::spawn;
use super::store::Store;
use super::watchdog::Feeder;
use crate::clock;
use crate::log::{Log, chain};
use crate::supervise::{Action, Daemon, End, Event, Exit, Supervisor};

/// Frames taken from one daemon before the other gets its turn.
const FRAMES_PER_TURN: u32 = 64;

/// Without signals there is no reaping, so this ends init.
#[derive(Debug, thiserror::Error)]
#[error("receive signals")]
pub(super) struct SignalError(#[source] Errno);

/// One daemon's link and store.
#[derive(Debug, Default)]
struct Slot {
    link: Option<InitEnd>,
    store: Store,
}

/// All that init holds while the machine runs.
#[derive(Debug)]
pub(super) struct Driver<'a> {
    log: &'a Log,
    supervisor: Supervisor,
    signals: SignalFd,
    machined: Slot,
    networkd: Slot,
    watchdog: Feeder,
    began: String,
}

impl<'a> Driver<'a> {
    pub(super) fn new(log: &'a Log, watchdog: Feeder, began: String) -> Result<Self, SignalError> {
        // All of them: one that is neither blocked nor handled could end PID 1.
        let all = SigSet::all();
        all.thread_set_mask().map_err(SignalError)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&all, flags).map_err(SignalError)?;
        let supervisor = Supervisor::new(clock::now());
        let (machined, networkd) = (Slot::default(), Slot::default());
        Ok(Self {
            log,
            supervisor,
            signals,
            machined,
            networkd,
            watchdog,
            began,
        })
    }

    /// Runs until the machine is to end.
    pub(super) fn run(mut self) -> (End, Feeder) {
        let mut events = VecDeque::from([Event::Tick]);
        loop {
            while let Some(event) = events.pop_front() {
                for action in self.supervisor.step(&event, clock::now()) {
                    if let Action::Finish(end) = action {
                        return (end, self.watchdog);
                    }
                    self.perform(action, &mut events);
                }
            }
            self.watchdog.feed(clock::now(), self.log);
            self.wait();
            self.gather(&mut events);
        }
    }

    fn perform(&mut self, action: Action, events: &mut VecDeque<Event>) {
        match action {
            Action::Start(daemon, start) => events.push_back(self.start(daemon, &start)),
            Action::Terminate(pid) => self.signal(pid, Signal::SIGTERM),
            Action::Kill(pid) => self.signal(pid, Signal::SIGKILL),
            Action::TerminateAll => self.signal_all(Signal::SIGTERM, events),
            Action::KillAll => self.signal_all(Signal::SIGKILL, events),
            Action::Tell(frame) => self.tell(&frame),
            Action::Log(level, text) => self.log.write(level, &text),
            // Taken by the caller.
            Action::Finish(_) => {}
        }
    }

    fn slot(&mut self, daemon: Daemon) -> &mut Slot {
        match daemon {
            Daemon::Machined => &mut self.machined,
            Daemon::Networkd => &mut self.networkd,
        }
    }

    fn start(&mut self, daemon: Daemon, start: &Start) -> Event {
        // An old link may hold frames of the life before; nobody wants them.
        self.slot(daemon).link = None;
        match self.try_start(daemon, start) {
            Ok(pid) => Event::Started(daemon, pid),
            Err(text) => Event::NotStarted(daemon, text),
        }
    }

    fn try_start(&mut self, daemon: Daemon, start: &Start) -> Result<u32, String> {
        let (ours, theirs) = link::pair().map_err(|error| chain(&error))?;
        for (name, fd) in self.slot(daemon).store.iter() {
            let frame = FromInit::Fd { name: name.clone() };
            ours.send(&frame, Some(fd)).map_err(|error| chain(&error))?;
        }
        ours.send(&FromInit::Start(start.clone()), None)
            .map_err(|error| chain(&error))?;
        let pid =
            spawn::start(daemon, theirs, start, &self.began).map_err(|error| chain(&error))?;
        self.slot(daemon).link = Some(ours);
        Ok(pid)
    }

    fn signal(&self, pid: u32, signal: Signal) {
        let Ok(pid) = i32::try_from(pid) else { return };
        if let Err(errno) = kill(Pid::from_raw(pid), signal) {
            self.log.warn(&format!("{signal} to {pid}: {errno}"));
        }
    }

    /// Signals every process but this one, then looks who is left: with nobody left, no SIGCHLD would ever come.
    fn signal_all(&self, signal: Signal, events: &mut VecDeque<Event>) {
        match kill(Pid::from_raw(-1), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => self.log.error(&format!("{signal} to all: {errno}")),
        }
        self.reap(events);
    }

    fn tell(&self, frame: &FromInit) {
        let Some(link) = &self.machined.link else {
            return;
        };
        match link.send(frame, None) {
            // It ended a moment ago; that is told when it is reaped.
            Ok(()) | Err(LinkError::Closed) => {}
            Err(error) => self.log.warn(&format!("tell machined: {}", chain(&error))),
        }
    }

    fn wait(&self) {
        let due = self.supervisor.deadline();
        let due = self.watchdog.due().map_or(due, |feeding| feeding.min(due));
        let wait = due.saturating_sub(clock::now());
        // Rounded up: half a millisecond early would be a busy loop.
        let timeout =
            PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        let links = [&self.machined, &self.networkd]
            .into_iter()
            .filter_map(|slot| slot.link.as_ref());
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(links.map(|link| PollFd::new(link.as_fd(), PollFlags::POLLIN)));
        // Interrupted or failed: everything is looked at anyway.
        poll(&mut fds, timeout).ok();
    }

    fn gather(&mut self, events: &mut VecDeque<Event>) {
        // Frames first: what a daemon said before it ended still counts.
        for daemon in Daemon::ALL {
            self.take_frames(daemon, events);
        }
        self.take_signals(events);
        self.reap(events);
        events.push_back(Event::Tick);
    }

    fn take_signals(&mut self, events: &mut VecDeque<Event>) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signal = i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|number| Signal::try_from(number).ok());
            match signal {
                // The kernel sends SIGINT for ctrl-alt-del, and SIGPWR-minded tools SIGPWR.
                Some(Signal::SIGINT) => events.push_back(Event::Signalled(End::Reboot)),
                Some(Signal::SIGTERM | Signal::SIGPWR) => {
                    events.push_back(Event::Signalled(End::Poweroff))
                }
                _ => {}
            }
        }
    }

    fn reap(&self, events: &mut VecDeque<Event>) {
        loop {
            let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Exit::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Exit::Signal(signal as i32)),
                Ok(WaitStatus::StillAlive) => return,
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return events.push_back(Event::Childless),
                Err(errno) => return self.log.error(&format!("wait for processes: {errno}")),
            };
            if let Ok(pid) = u32::try_from(pid.as_raw()) {
                events.push_back(Event::Exited(pid, exit));
            }
        }
    }

    fn take_frames(&mut self, daemon: Daemon, events: &mut VecDeque<Event>) {
        for _ in 0..FRAMES_PER_TURN {
            let Some(link) = &self.slot(daemon).link else {
                return;
            };
            match link.recv() {
                Ok(Received::Frame(frame, fd)) => self.take_frame(daemon, frame, fd, events),
                Ok(Received::Nothing) => return,
                // Its end is reaped, or its silence noticed, in due time.
                Ok(Received::Closed) => self.slot(daemon).link = None,
                Err(error @ LinkError::Frame(_)) => {
                    self.log
                        .warn(&format!("from {}: {}", daemon.name(), chain(&error)));
                }
                Err(error) => {
                    self.log
                        .error(&format!("from {}: {}", daemon.name(), chain(&error)));
                    self.slot(daemon).link = None;
                }
            }
        }
    }

    fn take_frame(
        &mut self,
        daemon: Daemon,
        frame: ToInit,
        fd: Option<std::os::fd::OwnedFd>,
        events: &mut VecDeque<Event>,
    ) {
        let log = self.log;
        let refuse = |why: &str| {
            log.warn(&format!("refused from {}: {why}", daemon.name()));
        };
        let end = match frame {
            ToInit::Ping => return events.push_back(Event::Ping(daemon)),
            ToInit::Ready => return events.push_back(Event::Ready(daemon)),
            ToInit::Store { name } => {
                let Some(fd) = fd else {
                    return refuse("STORE without a descriptor");
                };
                if !self.slot(daemon).store.put(name, fd) {
                    refuse("the store is full");
                }
                return;
            }
            ToInit::Drop { name } => return self.slot(daemon).store.forget(&name),
            ToInit::Reboot => End::Reboot,
            ToInit::Poweroff => End::Poweroff,
            ToInit::Halt => End::Halt,
        };
        match daemon {
            Daemon::Machined => events.push_back(Event::EndWanted(end)),
            Daemon::Networkd => refuse("only machined ends the machine"),
        }
    }
}
