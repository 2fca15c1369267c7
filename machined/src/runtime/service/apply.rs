//! Keeps services running as their specs have it, and says how each is doing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use jiff::Timestamp;
use resources::config::{ACTIVE, MachineConfig};
use resources::images::{CacheState, CachedImage};
use resources::runtime::{
    Condition, ENVIRONMENT, EnvironmentSpec, Health, ServiceSpec, ServiceState, ServiceStatus,
};
use thiserror::Error;
use tokio::sync::watch;

use super::container::pulls;
use super::container::roots::{Mounted, Roots};
use super::ends::{self, Ends};
use super::groups::{Cgroups, Groups};
use super::health;
use super::keeper::{Facts, Keeper, Looked, Now};
use super::orders::{OrderError, Ordered, Orders};
use super::record::Records;
use super::rules::{Name, Service};
use super::shared::Shared;
use crate::runtime::clock;
use crate::runtime::stage::status::{REBOOT, SHUTDOWN};

/// How soon services of the life before are looked for again while one of them is still being started.
const AGAIN: Duration = Duration::from_millis(100);

/// The longest time between two looks while there are services: what should have woken us and did not.
const LOOK: Duration = Duration::from_secs(60);

/// Why services cannot be kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// Their records.
    #[error("the folder of records {0}")]
    Records(PathBuf, #[source] io::Error),
    /// Their ends.
    #[error("hearing of the ends of processes")]
    Ends(#[source] io::Error),
}

/// The controller.
#[derive(Debug)]
pub struct Apply {
    keeper: Arc<Mutex<Keeper>>,
    ends: Ends,
    health: health::Known,
    checks: watch::Sender<health::Wanted>,
    pulled: pulls::Known,
    pulls: watch::Sender<pulls::Wanted>,
    containerd: PathBuf,
    orders: Orders,
    empty: watch::Sender<bool>,
}

cosi::declare! {
    Apply as "runtime.service.apply" {
        reads ServiceSpec;
        // Some services wait for conditions; and when the machine goes down, that is one.
        reads Condition;
        reads EnvironmentSpec;
        // Only to know whether the variables are those of this one.
        reads MachineConfig;
        // What is wrong with the node's own images, which may be why one cannot be pulled.
        reads CachedImage;
        writes ServiceStatus;
    }
}

/// Where services are kept.
#[derive(Debug)]
pub struct Places {
    /// Control groups; part of a mounted cgroup v2.
    pub groups: PathBuf,
    /// Records of services that run.
    pub records: PathBuf,
    /// Logs, of which each service gets one.
    pub logs: PathBuf,
    /// Roots of those that are started from images.
    pub roots: PathBuf,
    /// The socket of containerd, which pulls those.
    pub containerd: PathBuf,
}

impl Apply {
    /// Keeps services at `places`, as `orders` have it too.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn new(places: Places, orders: Orders) -> Result<Self, ServicesError> {
        let groups = Cgroups::new(places.groups.clone());
        let roots = Mounted::new(places.roots.clone());
        Self::with(Box::new(groups), Box::new(roots), places, orders)
    }

    /// The same in other groups and roots than the kernel's.
    pub(super) fn with(
        groups: Box<dyn Groups>,
        roots: Box<dyn Roots>,
        places: Places,
        orders: Orders,
    ) -> Result<Self, ServicesError> {
        let records = Records::open(places.records.clone())
            .map_err(|error| ServicesError::Records(places.records, error))?;
        let ends = Ends::new().map_err(ServicesError::Ends)?;
        let pulled = pulls::Known::default();
        let known = pulled.clone();
        let keeper = Keeper::new(records, places.logs, groups, roots, ends.clone(), known);
        Ok(Self {
            keeper: Arc::new(Mutex::new(keeper)),
            ends,
            health: health::Known::default(),
            checks: watch::Sender::default(),
            pulled,
            pulls: watch::Sender::default(),
            containerd: places.containerd,
            orders,
            empty: watch::Sender::new(false),
        })
    }

    /// Becomes true when the machine goes down and no service is left.
    #[must_use]
    pub fn empty(&self) -> watch::Receiver<bool> {
        self.empty.subscribe()
    }

    /// Looks on a thread that may wait: for a program to be read from a disk.
    async fn look(
        &self,
        wanted: BTreeMap<Name, Service>,
        facts: Facts,
        now: Now,
    ) -> Result<Option<Looked>, Error> {
        let (keeper, orders, health) = (
            Arc::clone(&self.keeper),
            self.orders.clone(),
            self.health.clone(),
        );
        let looked = move || {
            let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
            if !keeper.adopt(now)? {
                return Ok(None);
            }
            for ordered in orders.take() {
                let taken = obey(&mut keeper, &ordered, &wanted);
                orders.taken(ordered, taken);
            }
            keeper.look(&wanted, &facts, &health, now).map(Some)
        };
        let looked: io::Result<_> = tokio::task::spawn_blocking(looked).await?;
        Ok(looked?)
    }
}

fn obey(
    keeper: &mut Keeper,
    ordered: &Ordered,
    wanted: &BTreeMap<Name, Service>,
) -> Result<(), OrderError> {
    let taken = keeper.order(ordered, wanted);
    tracing::info!(service = ordered.name, order = ?ordered.order, taken = taken.is_ok(), "order");
    taken
}

/// The services that can be, and why others cannot.
fn wanted(cx: &Cx<'_, Apply>) -> (BTreeMap<Name, Service>, Vec<(String, String)>) {
    let (mut wanted, mut refused) = (BTreeMap::new(), Vec::new());
    for spec in cx.list::<ServiceSpec>() {
        let made = match spec.id().parse::<Name>() {
            Ok(name) => match Service::of(&spec.spec) {
                Ok(service) => Ok((name, service)),
                Err(error) => Err(cosi::report(&error)),
            },
            Err(error) => Err(cosi::report(&error)),
        };
        match made {
            Ok((name, service)) => drop(wanted.insert(name, service)),
            Err(reason) => refused.push((spec.id().to_owned(), reason)),
        }
    }
    (wanted, refused)
}

/// What else counts; `None` until it is known what the config has a service started with: a condition may be met before that is.
fn facts(cx: &Cx<'_, Apply>) -> Option<Facts> {
    let met: Vec<_> = cx.list::<Condition>();
    let met = met.iter().filter(|it| it.spec.met);
    let met: BTreeSet<_> = met.map(|it| it.id().to_owned()).collect();
    let down = met.contains(REBOOT) || met.contains(SHUTDOWN);
    let config = cx.get::<MachineConfig>(ACTIVE);
    let config = config.map(|it| it.spec.hash.clone()).unwrap_or_default();
    let environment = cx.get::<EnvironmentSpec>(ENVIRONMENT);
    let shared = match environment.filter(|it| it.spec.config == config) {
        Some(environment) => Shared::of(&environment.spec.variables),
        // Nothing is started any more.
        None if down => Shared::default(),
        None => return None,
    };
    Some(Facts {
        met,
        leave: cx.deletions_allowed(),
        down,
        shared,
    })
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        vec![
            ends::source(self.ends.clone()),
            health::source(self.checks.subscribe(), self.health.clone()),
            pulls::source(
                self.pulls.subscribe(),
                self.pulled.clone(),
                self.containerd.clone(),
            ),
            self.orders.source(),
        ]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        // What was taken in a run is written at its end, so it is answered in the next one; in the one after that when the
        // end went wrong.
        if !dirty.is_all() {
            self.orders.answer();
        }
        let now = Now {
            boot: clock::since_boot(),
            wall: cx.now(),
        };
        let (wanted, refused) = wanted(cx);
        let Some(facts) = facts(cx) else {
            return Ok(Outcome::WaitingOn("the variables of services".to_owned()));
        };
        let down = facts.down;
        let Some(looked) = self.look(wanted, facts, now).await? else {
            return Ok(Outcome::Requeue(AGAIN));
        };
        let due = looked.next.map(|next| next.saturating_sub(now.boot));
        let any = !looked.statuses.is_empty();
        self.tell(cx, looked, refused, down);
        if self.orders.are_unanswered() {
            return Ok(Outcome::Requeue(Duration::ZERO));
        }
        Ok(match (due, any) {
            (Some(due), _) => Outcome::Requeue(due.min(LOOK)),
            (None, true) => Outcome::Requeue(LOOK),
            (None, false) => Outcome::Done,
        })
    }
}

impl Apply {
    fn tell(
        &self,
        cx: &mut Cx<'_, Self>,
        looked: Looked,
        refused: Vec<(String, String)>,
        down: bool,
    ) {
        send(&self.checks, looked.checks);
        send(&self.pulls, looked.pulls);
        let since: BTreeMap<String, (ServiceState, Timestamp)> = cx
            .mine::<ServiceStatus>()
            .into_iter()
            .map(|it| (it.id().to_owned(), (it.spec.state, it.spec.since)))
            .collect();
        cx.replace::<ServiceStatus>();
        let now = cx.now();
        for (name, mut status) in looked.statuses {
            // One that never ran has no record to remember it by.
            if let Some((state, since)) = since.get(name.as_str())
                && *state == status.state
            {
                status.since = *since;
            }
            if let Some(problem) = problem(cx, name.as_str(), &status) {
                status.reason = format!("{}; {problem}", status.reason);
            }
            cx.put(name.to_string(), status);
        }
        for (id, reason) in refused {
            let before = since
                .get(&id)
                .filter(|(state, _)| *state == ServiceState::Failed);
            let status = ServiceStatus {
                state: ServiceState::Failed,
                health: Health::Unhealthy,
                since: before.map_or(now, |(_, since)| *since),
                reason,
                ..ServiceStatus::default()
            };
            cx.put(id, status);
        }
        self.empty.send_replace(down && looked.empty);
    }
}

/// What is wrong with the image of a service that does not run and says why, where that is the node's own copy of it: the registry
/// that is asked after it knows nothing of that.
fn problem(cx: &Cx<'_, Apply>, name: &str, status: &ServiceStatus) -> Option<String> {
    if status.pid != 0 || status.reason.is_empty() {
        return None;
    }
    let service = cx.get::<ServiceSpec>(name)?;
    let cached = cx.get::<CachedImage>(&service.spec.image)?;
    let broken = cached.spec.state == CacheState::Broken;
    broken.then(|| {
        format!(
            "the copy of its image that came with the node is damaged: {}",
            cached.spec.problem
        )
    })
}

/// Tells what is wanted if that is something else than before.
fn send<T: PartialEq>(to: &watch::Sender<T>, wanted: T) {
    to.send_if_modified(|before| {
        let news = *before != wanted;
        *before = wanted;
        news
    });
}
