//! One service with its processes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use nix::sys::signal::Signal;
use resources::runtime::{Health, ServiceState, ServiceStatus};
use sys::process::{Place, Process, User};

use super::ends::Ends;
use super::groups::Groups;
use super::plan::Told;
use super::record::{Mark, Record, Records};
use super::rules::{Limits, Name, Service};
use super::seen::{Exit, Life};
use super::shared::Shared;

/// One service as this process knows it.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) record: Record,
    /// The record as it is kept.
    kept: Option<Record>,
    /// Its main process.
    pub(super) main: Option<Process>,
    /// Others of its group whose ends are waited for.
    others: Vec<Process>,
    /// What its group is held to.
    pub(super) limits: Limits,
}

impl Known {
    /// One of which there is a record.
    pub(super) fn of(record: Record) -> Self {
        Self {
            kept: Some(record.clone()),
            record,
            ..Self::default()
        }
    }

    /// Writes the record if it is another than the one that is kept.
    pub(super) fn keep(&mut self, name: &Name, records: &Records) -> io::Result<()> {
        if self.kept.as_ref() == Some(&self.record) {
            return Ok(());
        }
        records.keep(name, &self.record)?;
        self.kept = Some(self.record.clone());
        Ok(())
    }

    pub(super) fn hold(&mut self, name: &Name, limits: &Limits, groups: &dyn Groups) {
        for refused in groups.limit(name, limits) {
            tracing::warn!(service = %name, refused, "its group is not held to this");
        }
        self.limits = limits.clone();
    }

    /// Starts it; no when there are processes in its group.
    pub(super) fn start(
        &mut self,
        name: &Name,
        service: &Service,
        shared: &Shared,
        logs: &Path,
        groups: &dyn Groups,
        ends: &Ends,
    ) -> io::Result<bool> {
        if let Some(container) = &service.container {
            let why = format!("{}: no image can be run yet", container.image);
            return Err(io::Error::other(why));
        }
        if !groups.pids(name)?.is_empty() {
            return Ok(false);
        }
        let group = groups.make(name)?;
        self.hold(name, &service.limits, groups);
        self.record.starved = groups.starved(name);
        let mut options = OpenOptions::new();
        let log = options.append(true).create(true).mode(0o640);
        let log = log.open(logs.join(format!("{name}.log")))?;
        let pid = sys::process::start(&mut command(service, shared, log)?, place(service, group))?;
        tracing::info!(service = %name, pid, "started");
        // It is a child of ours that nobody has taken leave of, so both find it.
        let opened = Process::open(pid).and_then(|process| {
            ends.watch(&process)?;
            Ok(process)
        });
        match opened {
            Ok(process) => self.main = Some(process),
            Err(error) => {
                kill(name, groups)?;
                return Err(error);
            }
        }
        self.record.main = Mark::of(pid);
        self.record.variables = Some(shared.mark().to_owned());
        Ok(true)
    }

    /// How its main process really ended: one that the kernel had no memory for looks like one that anybody killed.
    pub(super) fn explain(&self, exit: Exit, name: &Name, groups: &dyn Groups) -> Exit {
        let killed = exit == Exit::Signal(Signal::SIGKILL as i32) || exit == Exit::Unknown;
        let by_us = self.record.seen.life.is_killed();
        if killed && !by_us && groups.starved(name) > self.record.starved {
            return Exit::Starved;
        }
        exit
    }

    /// Waits for the ends of others; there may be none any more.
    pub(super) fn await_others(&mut self, pids: &[u32], ends: &Ends) -> io::Result<()> {
        self.others.clear();
        for pid in pids {
            // One that has ended since needs no waiting for.
            if let Ok(process) = Process::open(*pid) {
                ends.watch(&process)?;
                self.others.push(process);
            }
        }
        if self.others.is_empty() {
            self.record.seen.emptied();
        }
        Ok(())
    }

    pub(super) fn status(
        &mut self,
        told: &Told,
        service: Option<&Service>,
        shared: &Shared,
        now: Timestamp,
    ) -> ServiceStatus {
        let state = crate::word(&told.state);
        let since = match &self.record.told {
            Some((before, since)) if *before == state => *since,
            _ => now,
        };
        self.record.told = Some((state, since));
        let seen = &self.record.seen;
        let checked = service.is_some_and(|service| service.rules.checked);
        let health = match (checked, seen.healthy) {
            (true, Some(true)) => Health::Healthy,
            (true, Some(false)) => Health::Unhealthy,
            _ if told.state == ServiceState::Failed => Health::Unhealthy,
            _ => Health::Unknown,
        };
        let last = seen
            .last
            .as_ref()
            .filter(|_| !matches!(seen.life, Life::Stopping { .. }));
        ServiceStatus {
            state: told.state,
            health,
            pid: self.record.main.map_or(0, |main| main.pid),
            restarts: seen.restarts,
            reason: self.reason(told, shared),
            since,
            last_exit: last.map(|last| last.exit.to_string()).unwrap_or_default(),
            waits_for: told.waits.clone(),
            ..ServiceStatus::default()
        }
    }

    /// Why it is where it is, and what it runs with that has changed since its start.
    fn reason(&self, told: &Told, shared: &Shared) -> String {
        let stays = matches!(told.state, ServiceState::Starting | ServiceState::Running);
        let with = self.record.variables.as_deref();
        if !stays || self.record.main.is_none() || with.is_none_or(|it| it == shared.mark()) {
            return told.reason.clone();
        }
        let older =
            "runs with older variables than the config has; it gets those when it is started again";
        match told.reason.as_str() {
            "" => older.to_owned(),
            reason => format!("{reason}; {older}"),
        }
    }
}

fn command(service: &Service, shared: &Shared, log: File) -> io::Result<Command> {
    let mut command = Command::new(&service.program);
    command
        .args(&service.args)
        .env_clear()
        .env("PATH", "/usr/bin:/usr/sbin")
        .envs(shared.pairs())
        .envs(
            service
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command)
}

fn place(service: &Service, group: Option<File>) -> Place {
    Place {
        group,
        oom_score_adj: service.oom_score_adj,
        user: service
            .user
            .clone()
            .map(|(uid, gid, groups)| User { uid, gid, groups }),
        capabilities: service.capabilities,
    }
}

/// Ends a group at once; one process after the other where the kernel has no way to end them together.
pub(super) fn kill(name: &Name, groups: &dyn Groups) -> io::Result<()> {
    tracing::info!(service = %name, "killed with all it started");
    if groups.kill(name).is_ok() {
        return Ok(());
    }
    for pid in groups.pids(name)? {
        if let Ok(process) = Process::open(pid) {
            process.signal(Signal::SIGKILL)?;
        }
    }
    Ok(())
}
