//! The daemons as init sees them, written into the state as services.

use jiff::Timestamp;
use resources::runtime::{Health, ServiceState, ServiceStatus};
use store::{CommitError, Resource, Store, Transaction};
use sys::link::{ChildState, ChildStatus};

/// Who writes services.
const WRITER: &str = "runtime.services.status";

/// Writes what init told of a daemon.
///
/// # Errors
/// The state refuses, as it does when something else owns the resource.
pub fn record(store: &Store, child: ChildStatus, now: Timestamp) -> Result<(), CommitError> {
    let cause = format!("init: {} {}", child.name, child.state.word());
    let resource = Resource::in_default(child.name.clone(), status(child));
    store
        .commit(
            Transaction::owned(WRITER)
                .caused_outside(cause)
                .put(resource),
            now,
        )
        .map(drop)
}

fn status(child: ChildStatus) -> ServiceStatus {
    let (state, health) = match child.state {
        // init kills a daemon that does not ping, so one that runs is one that answers.
        ChildState::Running => (ServiceState::Running, Health::Healthy),
        ChildState::Exited => (ServiceState::Finished, Health::Unknown),
        ChildState::Restarting => (ServiceState::Restarting, Health::Unhealthy),
        ChildState::Failed => (ServiceState::Failed, Health::Unhealthy),
    };
    ServiceStatus {
        state,
        health,
        pid: child.pid,
        restarts: child.restarts,
        reason: child.reason,
    }
}
