//! One service with its processes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use resources::runtime::{Health, ServiceState, ServiceStatus};
use sys::process::{Place, Process, User};

use super::container::bundle::Bundle;
use super::container::pulls::{self, Image, Order};
use super::container::roots::{Roots, held};
use super::ends::Ends;
use super::groups::Groups;
use super::plan::Told;
use super::record::{Mark, Record, Records, Started};
use super::rules::{Limits, Name, Service};
use super::seen::{Exit, Life, Root};
use super::shared::Shared;

/// Where programs look for programs, unless somebody says otherwise.
pub(super) const PATH: &str = "/usr/bin:/usr/sbin";

/// How the container runtime ends when its container was killed: 128 and the number of the signal.
const KILLED: i32 = 128 + Signal::SIGKILL as i32;

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
    /// The number of the last pull that was ordered for it.
    pull: u64,
    /// What it is started from.
    image: Option<Arc<Image>>,
}

/// By what services are started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means<'a> {
    pub(super) shared: &'a Shared,
    pub(super) logs: &'a Path,
    pub(super) groups: &'a dyn Groups,
    pub(super) roots: &'a dyn Roots,
    pub(super) ends: &'a Ends,
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
        means: &Means<'_>,
    ) -> io::Result<bool> {
        let groups = means.groups;
        if !groups.pids(name)?.is_empty() {
            return Ok(false);
        }
        let group = groups.make(name)?;
        self.hold(name, &service.limits, groups);
        self.record.starved = groups.starved(name);
        let mut options = OpenOptions::new();
        let log = options.append(true).create(true).mode(0o640);
        let log = log.open(means.logs.join(format!("{name}.log")))?;
        let mut command = self.command(name, service, means)?;
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let pid = sys::process::start(&mut command, place(service, group))?;
        tracing::info!(service = %name, pid, "started");
        // It is a child of ours that nobody has taken leave of, so both find it.
        let opened = Process::open(pid).and_then(|process| {
            means.ends.watch(&process)?;
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
        self.record.variables = Some(means.shared.mark().to_owned());
        Ok(true)
    }

    /// What is run for it.
    fn command(&self, name: &Name, service: &Service, means: &Means<'_>) -> io::Result<Command> {
        let Some(container) = &service.container else {
            return Ok(command(service, means.shared));
        };
        // None is started before it is there.
        let image = self.image.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let bundle = Bundle::of(service, container, &image.run, means.shared, held()?);
        let bundle = bundle.map_err(|error| {
            let text = format!("{}: {error}", container.image);
            io::Error::other(text)
        })?;
        let mut command = means.roots.make(name, &image.layers, &bundle)?;
        command.env_clear().env("PATH", PATH);
        Ok(command)
    }

    /// Has the image pulled; `number` is one that no other pull has.
    pub(super) fn pull(&mut self, image: String, number: u64) {
        (self.pull, self.image) = (number, None);
        self.record.seen.root = Root::Pulls(image);
    }

    /// Takes what has become of its pull; `service` is absent when nobody waits for it any more.
    pub(super) fn take_pulled(
        &mut self,
        name: &Name,
        service: Option<&Service>,
        pulls: &pulls::Known,
        now: std::time::Duration,
    ) {
        let Root::Pulls(reference) = &self.record.seen.root else {
            return;
        };
        let wants = |service: &&Service| service.rules.image.as_ref() == Some(reference);
        let Some(service) = service.filter(wants) else {
            self.record.seen.root = Root::Nothing;
            return;
        };
        match pulls.of(name, self.pull) {
            None => {}
            Some(Ok(image)) => {
                self.record.seen.root = Root::There(reference.clone());
                self.image = Some(image);
            }
            Some(Err(why)) => {
                tracing::warn!(service = %name, why, "its image is not there");
                self.record.seen.root = Root::Nothing;
                self.record.seen.not_started(&service.rules, why, now);
            }
        }
    }

    /// The pull that it waits for.
    pub(super) fn ordered(&self) -> Option<Order> {
        let Root::Pulls(reference) = &self.record.seen.root else {
            return None;
        };
        Some(Order {
            number: self.pull,
            reference: reference.clone(),
        })
    }

    /// Notes the image that it is about to be started from: its root is found by that and taken away, whatever comes
    /// between.
    pub(super) fn note_image(&mut self, service: &Service) {
        let image = service.container.as_ref().zip(self.image.as_ref());
        self.record.image = image.map(|(container, image)| Started {
            reference: container.image.to_string(),
            digest: image.digest.clone(),
            key: image.key.clone(),
        });
    }

    /// The views of images that it uses.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        let started = self.record.image.iter().map(|it| &it.key);
        started.chain(self.image.iter().map(|it| &it.key))
    }

    /// Takes away the root of one that does not run.
    pub(super) fn clear(&mut self, name: &Name, roots: &dyn Roots) {
        if !self.record.seen.is_down() || self.record.image.is_none() {
            return;
        }
        match roots.clear(name) {
            Ok(()) => self.record.image = None,
            Err(error) => tracing::warn!(service = %name, %error, "its root is still there"),
        }
    }

    /// How its main process really ended: one that the kernel had no memory for looks like one that anybody killed.
    pub(super) fn explain(&self, exit: Exit, name: &Name, groups: &dyn Groups) -> Exit {
        let killed = match exit {
            Exit::Signal(signal) => signal == Signal::SIGKILL as i32,
            Exit::Code(code) => self.record.image.is_some() && code == KILLED,
            Exit::Unknown => true,
            Exit::Starved | Exit::NotStarted(_) => false,
        };
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
        let image = self.record.image.as_ref();
        let image = image.filter(|_| self.record.main.is_some()).cloned();
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
            image: image
                .as_ref()
                .map(|it| it.reference.clone())
                .unwrap_or_default(),
            image_digest: image.map(|it| it.digest).unwrap_or_default(),
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

fn command(service: &Service, shared: &Shared) -> Command {
    let mut command = Command::new(&service.program);
    command
        .args(&service.args)
        .env_clear()
        .env("PATH", PATH)
        .envs(shared.pairs())
        .envs(
            service
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        );
    command
}

fn place(service: &Service, group: Option<File>) -> Place {
    if service.container.is_some() {
        // The container runtime needs all rights, and gives on those that its bundle says.
        return Place {
            group,
            oom_score_adj: service.oom_score_adj,
            user: None,
            capabilities: None,
        };
    }
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
