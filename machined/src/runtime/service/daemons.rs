//! The daemons as init sees them, written into the state as services.

use jiff::Timestamp;
use resources::runtime::{Health, ServiceState, ServiceStatus};
use store::{CommitError, Resource, Spec, Store, Transaction};
use sys::link::{ChildState, ChildStatus};

/// Who writes services.
const WRITER: &str = "runtime.services.status";

/// Writes what init told of a daemon.
///
/// # Errors
/// The state refuses, as it does when something else owns the resource.
pub fn record(store: &Store, child: ChildStatus, now: Timestamp) -> Result<(), CommitError> {
    let cause = format!("init: {} {}", child.name, child.state.word());
    let before = store
        .snapshot()
        .get_as::<ServiceStatus>(ServiceStatus::DEFINITION.namespace, &child.name);
    let before = before.as_ref().map(|typed| &*typed.spec);
    let resource = Resource::in_default(child.name.clone(), status(child, before, now));
    store
        .commit(
            Transaction::owned(WRITER)
                .caused_outside(cause)
                .put(resource),
            now,
        )
        .map(drop)
}

fn status(child: ChildStatus, before: Option<&ServiceStatus>, now: Timestamp) -> ServiceStatus {
    let (state, health) = match child.state {
        // init kills a daemon that does not ping, so one that runs is one that answers.
        ChildState::Running => (ServiceState::Running, Health::Healthy),
        ChildState::Exited => (ServiceState::Finished, Health::Unknown),
        ChildState::Restarting => (ServiceState::Restarting, Health::Unhealthy),
        ChildState::Failed => (ServiceState::Failed, Health::Unhealthy),
    };
    // The same state of another process is another one.
    let same = before.filter(|before| before.state == state && before.pid == child.pid);
    ServiceStatus {
        state,
        health,
        pid: child.pid,
        restarts: child.restarts,
        reason: child.reason,
        since: same.map_or(now, |before| before.since),
        ..ServiceStatus::default()
    }
}
