//! Keeps services as they should be: looks, has a plan made, carries it out, until there is nothing left to do.
//!
//! A service is started in a group of its own and noted in a file, so that whoever comes after this process finds it: by
//! the file, and by the group where this process died before it could write. Nothing is started in a group that has
//! processes, so nothing is ever started twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use resources::runtime::ServiceStatus;
use sys::process::Process;

use super::container::pulls;
use super::container::roots::Roots;
use super::ends::Ends;
use super::groups::Groups;
use super::health;
use super::known::{Known, kill};
use super::orders::{OrderError, Ordered, ServiceOrder};
use super::plan::{Input, Op, Told, plan};
use super::record::{Mark, Record, Records};
use super::rules::{Name, Rules, Service};
use super::seen::{Exit, Life};
use super::shared::Shared;

mod images;
mod start;

/// Rounds of plan and operations in one look. Each brings a service on by a step; a chain of services that wait for each
/// other is longer than this on no node, and would go on with the next look.
const ROUNDS: usize = 64;

/// A moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Since the machine's boot.
    pub(super) boot: Duration,
    /// By the clock, for people.
    pub(super) wall: Timestamp,
}

/// What is known before a look.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The conditions that are met.
    pub(super) met: BTreeSet<String>,
    /// Whether what is not wanted may be taken for unwanted.
    pub(super) leave: bool,
    /// Whether the machine goes down.
    pub(super) down: bool,
    /// Variables for all services.
    pub(super) shared: Shared,
}

/// What a look has come to.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Every service.
    pub(super) statuses: BTreeMap<Name, ServiceStatus>,
    /// When to look again if nothing happens before, since the machine's boot.
    pub(super) next: Option<Duration>,
    /// What is to be looked after.
    pub(super) checks: health::Wanted,
    /// What is to be pulled.
    pub(super) pulls: pulls::Wanted,
    /// Whether no service has a process.
    pub(super) empty: bool,
}

/// Keeps services.
#[derive(Debug)]
pub(super) struct Keeper {
    records: Records,
    logs: PathBuf,
    groups: Box<dyn Groups>,
    roots: Box<dyn Roots>,
    ends: Ends,
    pulls: pulls::Known,
    /// Pulls that were ordered.
    pulled: u64,
    known: BTreeMap<Name, Known>,
    adopted: bool,
}

impl Keeper {
    pub(super) fn new(
        records: Records,
        logs: PathBuf,
        groups: Box<dyn Groups>,
        roots: Box<dyn Roots>,
        ends: Ends,
        pulls: pulls::Known,
    ) -> Self {
        Self {
            records,
            logs,
            groups,
            roots,
            ends,
            pulls,
            pulled: 0,
            known: BTreeMap::new(),
            adopted: false,
        }
    }

    /// Finds the services of the life before. Until it says yes a process of it is still on its way to be a service: it
    /// has the lock.
    pub(super) fn adopt(&mut self, now: Now) -> io::Result<bool> {
        if self.adopted {
            return Ok(true);
        }
        let Some(_lock) = self.lock()? else {
            return Ok(false);
        };
        for (name, record) in self.records.all()? {
            let known = self.take_over(&name, record, now)?;
            self.known.insert(name, known);
        }
        for name in self.groups.names()? {
            if self.known.contains_key(&name) {
                continue;
            }
            if self.groups.pids(&name)?.is_empty() {
                self.groups.remove(&name)?;
                continue;
            }
            tracing::warn!(service = %name, "found processes of a start that was cut short");
            let mut known = Known::default();
            known.record.seen.strangers_found();
            self.known.insert(name, known);
        }
        self.adopted = true;
        Ok(true)
    }

    fn take_over(&self, name: &Name, record: Record, now: Now) -> io::Result<Known> {
        let mut known = Known::of(record);
        if let Some(mark) = known.record.main
            && let Ok(process) = Process::open(mark.pid)
            // Read after it was opened: the number cannot have come to mean another process in between.
            && Mark::of(mark.pid) == Some(mark)
        {
            tracing::info!(service = %name, pid = mark.pid, "found running");
            self.ends.watch(&process)?;
            known.main = Some(process);
            return Ok(known);
        }
        let left = !self.groups.pids(name)?.is_empty();
        known.record.main = None;
        let exit = known.explain(Exit::Unknown, name, &*self.groups);
        let seen = &mut known.record.seen;
        seen.main_ended(exit, left, now.boot);
        if left {
            seen.strangers_found();
        }
        Ok(known)
    }

    /// Takes an order, so that it holds when this process dies.
    pub(super) fn order(
        &mut self,
        ordered: &Ordered,
        wanted: &BTreeMap<Name, Service>,
    ) -> Result<(), OrderError> {
        let name = ordered.name.parse::<Name>();
        let name = name.ok().filter(|name| wanted.contains_key(name));
        let Some(name) = name else {
            let names: Vec<_> = wanted.keys().map(ToString::to_string).collect();
            return Err(OrderError::unknown(&ordered.name, &names));
        };
        let known = self.known.entry(name.clone()).or_default();
        let seen = &mut known.record.seen;
        match ordered.order {
            ServiceOrder::Start => seen.order_start(),
            ServiceOrder::Stop => seen.order_stop(),
            ServiceOrder::Restart => seen.order_restart(),
        }
        known
            .keep(&name, &self.records)
            .map_err(|error| OrderError::NotKept(name.to_string(), error))
    }

    /// Brings everything on as far as it goes now.
    pub(super) fn look(
        &mut self,
        wanted: &BTreeMap<Name, Service>,
        facts: &Facts,
        health: &health::Known,
        now: Now,
    ) -> io::Result<Looked> {
        self.gather(health, now)?;
        self.take_pulled(wanted, facts, now);
        self.limit(wanted);
        let rules: BTreeMap<Name, &Rules> = wanted
            .iter()
            .map(|(name, service)| (name.clone(), &service.rules))
            .collect();
        let mut made = None;
        for _ in 0..ROUNDS {
            let seen = self.known.iter();
            let seen = seen
                .map(|(name, known)| (name.clone(), known.record.seen.clone()))
                .collect();
            let plan = plan(&Input {
                wanted: &rules,
                seen: &seen,
                met: &facts.met,
                leave: facts.leave,
                down: facts.down,
                now: now.boot,
            });
            let idle = plan.ops.is_empty();
            for (name, op) in &plan.ops {
                self.perform(name, *op, wanted.get(name), &facts.shared, now)?;
            }
            made = Some(plan);
            if idle {
                break;
            }
        }
        let plan = made.unwrap_or_default();
        // Rounds ran out: the next look goes on.
        let next = if plan.ops.is_empty() {
            plan.next
        } else {
            Some(now.boot)
        };
        for (name, known) in &mut self.known {
            known.clear(name, &*self.roots);
        }
        let mut looked = self.tell(&plan.told, wanted, &facts.shared, next, now);
        looked.pulls = self.wanted_pulls(wanted, facts);
        Ok(looked)
    }

    /// Takes in who has ended.
    fn gather(&mut self, health: &health::Known, now: Now) -> io::Result<()> {
        for (name, known) in &mut self.known {
            if let Some(main) = &known.main
                && main.has_ended()?
            {
                let exit = known.explain(exit(main)?, name, &*self.groups);
                let others = self.groups.pids(name)?;
                tracing::info!(service = %name, %exit, left = others.len(), "ended");
                (known.main, known.record.main) = (None, None);
                let seen = &mut known.record.seen;
                seen.main_ended(exit, !others.is_empty(), now.boot);
                known.keep(name, &self.records)?;
            }
            if matches!(known.record.seen.life, Life::Remnants { .. }) {
                known.await_others(&self.groups.pids(name)?, &self.ends)?;
            }
            let main = known.record.main;
            known.record.seen.healthy = main.and_then(|main| health.of(name, main.pid));
        }
        Ok(())
    }

    /// Holds the groups of those that run to what has changed of their limits.
    fn limit(&mut self, wanted: &BTreeMap<Name, Service>) {
        for (name, known) in &mut self.known {
            if known.main.is_some()
                && let Some(service) = wanted.get(name)
                && known.limits != service.limits
            {
                known.hold(name, &service.limits, &*self.groups);
            }
        }
    }

    fn perform(
        &mut self,
        name: &Name,
        op: Op,
        service: Option<&Service>,
        shared: &Shared,
        now: Now,
    ) -> io::Result<()> {
        if op == Op::Forget {
            self.roots.clear(name)?;
            self.groups.remove(name)?;
            self.records.forget(name)?;
            self.known.remove(name);
            return Ok(());
        }
        match (op, service) {
            (Op::Start, Some(service)) => return self.start(name, service, shared, now),
            (Op::Pull, Some(service)) => return self.pull(name, service),
            _ => {}
        }
        let _lock = self.lock()?;
        let known = self.known.entry(name.clone()).or_default();
        match op {
            Op::Stop => {
                tracing::info!(service = %name, "asked to end");
                known.record.seen.asked_to_end(now.boot);
                known.keep(name, &self.records)?;
                let signal = service.map_or(Signal::SIGTERM, |service| service.stop_signal);
                known
                    .main
                    .as_ref()
                    .map_or(Ok(()), |main| main.signal(signal))
            }
            Op::Kill => {
                known.record.seen.killed();
                kill(name, &*self.groups)?;
                if matches!(known.record.seen.life, Life::Remnants { .. }) {
                    known.await_others(&self.groups.pids(name)?, &self.ends)?;
                }
                known.keep(name, &self.records)
            }
            Op::Start | Op::Pull | Op::Forget => Ok(()),
        }
    }

    /// The lock that a process has until it is its service's program; `None` while one has.
    fn lock(&self) -> io::Result<Option<Flock<File>>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.records.lock())?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    fn tell(
        &mut self,
        told: &BTreeMap<Name, Told>,
        wanted: &BTreeMap<Name, Service>,
        shared: &Shared,
        next: Option<Duration>,
        now: Now,
    ) -> Looked {
        let mut looked = Looked {
            next,
            empty: self.known.values().all(|known| known.record.seen.is_down()),
            ..Looked::default()
        };
        for (name, told) in told {
            let service = wanted.get(name);
            let status = match self.known.get_mut(name) {
                Some(known) => {
                    let status = known.status(told, service, shared, now.wall);
                    if let Err(error) = known.keep(name, &self.records) {
                        tracing::warn!(service = %name, %error, "its record is not kept");
                    }
                    status
                }
                None => Known::default().status(told, service, shared, now.wall),
            };
            let check = service.and_then(|service| service.check.clone());
            if let (Some(check), true) = (check, status.pid > 0) {
                looked.checks.insert(name.clone(), (status.pid, check));
            }
            looked.statuses.insert(name.clone(), status);
        }
        looked
    }
}

/// How a process that has ended did.
fn exit(process: &Process) -> io::Result<Exit> {
    Ok(match process.reap()? {
        Some(sys::process::Exit::Code(code)) => Exit::Code(code),
        Some(sys::process::Exit::Signal(signal)) => Exit::Signal(signal),
        None => Exit::Unknown,
    })
}
