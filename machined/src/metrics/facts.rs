//! The numbers of one moment, read from the state and the kernel.

use std::time::Duration;

use cosi::status::{ControllerStatus, RunState};
use cosi::{ControllerCounts, Counters};
use jiff::Timestamp;
use resources::config::{ACTIVE, MachineConfig};
use resources::runtime::{GARBOARD, MACHINED, ServiceStatus, StageStatus, Version};
use store::{Snapshot, Spec, Store};

use super::processes::{self, Use};
use crate::runtime::clock::since_boot;

/// The numbers of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// What runs here.
    pub(super) version: Version,
    /// Since the kernel started, sleep included.
    pub(super) uptime: Duration,
    /// When that was, by the clock as it is now.
    pub(super) booted: Timestamp,
    /// How far the node is.
    pub(super) stage: Option<String>,
    /// What our processes use.
    pub(super) processes: Vec<Use>,
    /// The daemons that init keeps, and how often it started them again.
    pub(super) restarts: Vec<(String, u32)>,
    /// Namespace, type and number of resources.
    pub(super) kinds: Vec<(String, String, usize)>,
    /// Commits of the state so far.
    pub(super) commits: u64,
    /// Those who watch the state.
    pub(super) watches: usize,
    /// The controllers of this process.
    pub(super) controllers: Vec<ControllerCounts>,
    /// Every controller, with its runtime and whether its last run failed.
    pub(super) failing: Vec<(String, String, bool)>,
    /// The config's number, and when it was applied.
    pub(super) config: Option<(u64, Timestamp)>,
}

/// Reads them at `now`.
pub(super) fn read(store: &Store, controllers: &Counters, now: Timestamp) -> Facts {
    let snapshot = store.snapshot();
    let uptime = since_boot();
    let services: Vec<_> = snapshot
        .list_as::<ServiceStatus>(ServiceStatus::DEFINITION.namespace)
        .map(|service| (service.metadata.id.to_string(), service.spec))
        .collect();
    let pids = services
        .iter()
        .filter_map(|(name, status)| Some((name.clone(), i32::try_from(status.pid).ok()?)))
        // Zero is no process: one that is being started again.
        .filter(|(_, pid)| *pid > 0);
    let init = ("init".to_owned(), processes::INIT);
    Facts {
        version: one::<Version>(&snapshot, GARBOARD).unwrap_or_default(),
        uptime,
        booted: now.saturating_sub(uptime).unwrap_or(now),
        stage: one::<StageStatus>(&snapshot, MACHINED).map(|status| crate::word(&status.stage)),
        processes: std::iter::once(init)
            .chain(pids)
            .filter_map(|(name, pid)| processes::read(name, pid))
            .collect(),
        restarts: services
            .iter()
            .map(|(name, status)| (name.clone(), status.restarts))
            .collect(),
        kinds: snapshot
            .kinds()
            .map(|(namespace, ty, count)| (namespace.to_string(), ty.to_string(), count))
            .collect(),
        commits: snapshot.revision().0,
        watches: store.watchers(),
        controllers: controllers.now(),
        failing: failing(&snapshot),
        config: config(&snapshot),
    }
}

fn one<S: Spec + Clone>(snapshot: &Snapshot, id: &str) -> Option<S> {
    let typed = snapshot.get_as::<S>(S::DEFINITION.namespace, id)?;
    Some((*typed.spec).clone())
}

fn failing(snapshot: &Snapshot) -> Vec<(String, String, bool)> {
    snapshot
        .list_as::<ControllerStatus>(ControllerStatus::DEFINITION.namespace)
        .map(|status| {
            let failed = status.spec.state == RunState::Failed;
            let name = status.metadata.id.to_string();
            (status.spec.runtime.clone(), name, failed)
        })
        .collect()
}

fn config(snapshot: &Snapshot) -> Option<(u64, Timestamp)> {
    let namespace = MachineConfig::DEFINITION.namespace;
    let active = snapshot.get_as::<MachineConfig>(namespace, ACTIVE)?;
    let applied = i64::try_from(active.spec.applied_seconds).ok();
    let applied = applied.filter(|it| *it > 0);
    let applied = applied.and_then(|it| Timestamp::from_second(it).ok());
    // When its record was lost, at least since when it runs.
    let applied = applied.unwrap_or(active.metadata.updated);
    Some((active.spec.generation, applied))
}

#[cfg(test)]
mod tests {
    use store::{Resource, Transaction};

    use super::*;

    #[test]
    fn numbers_come_from_the_state() {
        let store = Store::new(1);
        let runtime = cosi::Runtime::new("machined", store.clone());
        let service = ServiceStatus {
            pid: std::process::id(),
            restarts: 3,
            ..ServiceStatus::default()
        };
        let starting = ServiceStatus::default();
        let status = ControllerStatus {
            runtime: "networkd".to_owned(),
            state: RunState::Failed,
            ..ControllerStatus::default()
        };
        let config = MachineConfig {
            generation: 7,
            ..MachineConfig::default()
        };
        let applied = Timestamp::from_second(1_790_000_000).unwrap();
        let transaction = Transaction::new("test")
            .put(Resource::in_default("machined", service))
            .put(Resource::in_default("networkd", starting))
            .put(Resource::in_default("network.link.apply", status))
            .put(Resource::in_default(ACTIVE, config));
        store.commit(transaction, applied).unwrap();

        let facts = read(&store, &runtime.counters(), applied);
        let mut names = facts.processes.iter().map(|it| it.name.as_str());
        assert!(names.any(|name| name == "machined"), "{facts:?}");
        assert!(!names.any(|name| name == "networkd"), "it has no process");
        let restarts = [("machined".to_owned(), 3), ("networkd".to_owned(), 0)];
        assert_eq!(facts.restarts, restarts);
        assert_eq!(facts.commits, 1);
        assert_eq!(facts.config, Some((7, applied)));
        let failing = ("networkd".to_owned(), "network.link.apply".to_owned(), true);
        assert_eq!(facts.failing, [failing]);
        let services = ("runtime", ServiceStatus::DEFINITION.ty, 2);
        let kinds = facts.kinds.iter();
        let mut kinds = kinds.map(|(namespace, ty, count)| (&**namespace, &**ty, *count));
        assert!(kinds.any(|kind| kind == services), "{facts:?}");
        assert!(facts.booted < applied);
    }
}
