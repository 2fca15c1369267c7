//! The steps before services may end.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use resources::kubernetes::NodeStatus;
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::{Departure, DepartureState, LAST, ServiceState, ServiceStatus};
use store::{Spec, Store, WatchRequest};
use tokio::time::{sleep, timeout};

use super::{Departing, Ending};
use crate::config::active;
use crate::kubernetes::component::Component;
use crate::kubernetes::etcd::access;
use crate::kubernetes::etcd::bootstrap::Bootstrap;
use crate::kubernetes::etcd::leave::{self, LeaveError, leave};
use crate::kubernetes::kubelet::inhibit::{Ended, Inhibitors};
use crate::kubernetes::node::drain::{Drained, Drainer, Leaving};
use crate::node::conditions::put;

/// How long a life that has just begun may take to know its own name.
const NAME: Duration = Duration::from_secs(10);

/// What the steps are taken with.
#[derive(Clone, Debug)]
pub struct Way {
    drainer: Drainer,
    bootstrap: Bootstrap,
    inhibitors: Inhibitors,
}

impl Way {
    /// Asks the cluster as the kubelet whose files are in a folder, leaves etcd by `bootstrap`, and has the kubelet end pods that holds
    /// up the end.
    #[must_use]
    pub fn new(kubelet: PathBuf, bootstrap: Bootstrap, inhibitors: Inhibitors) -> Self {
        Self {
            drainer: Drainer::new(kubelet),
            bootstrap,
            inhibitors,
        }
    }
}

/// Tells how far an order is.
#[derive(Clone, Debug)]
pub(crate) struct Teller(Store);

impl Teller {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// That there is another order.
    pub(crate) fn begin(&self, departing: &Departing) {
        self.write(Departure {
            end: departing.end.shown(),
            by: departing.by.clone(),
            ..Departure::default()
        });
    }

    /// What is so of it from now on.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Departure)) {
        let namespace = Departure::DEFINITION.namespace;
        let before = self.0.snapshot().get_as::<Departure>(namespace, LAST);
        let mut departure = before.map(|it| (*it.spec).clone()).unwrap_or_default();
        change(&mut departure);
        self.write(departure);
    }

    fn write(&self, departure: Departure) {
        let cause = departure.by.clone();
        // Nobody else writes it, so there is nothing that could refuse; the order is carried out all the same.
        if let Err(error) = put(&self.0, LAST, departure, &cause, Timestamp::now()) {
            tracing::error!(error = cosi::report(&error), "telling of the order");
        }
    }
}

/// Does what comes before the end of services; `now` is since the machine's boot.
///
/// # Errors
/// Why the node stays, for a person.
pub(crate) async fn go(
    store: Store,
    way: Way,
    departing: Departing,
    now: Duration,
) -> Result<(), String> {
    let teller = Teller::new(store.clone());
    if let Some(until) = departing.drain {
        let left = until.saturating_sub(now);
        drain(&store, &way, &teller, &departing.by, left).await;
    }
    if let Ending::Reset { abandon_etcd, .. } = departing.end {
        teller.tell(|it| it.state = DepartureState::LeavingEtcd);
        leave_etcd(&store, &way, abandon_etcd).await?;
    }
    teller.tell(|it| it.state = DepartureState::EndingPods);
    let ended = way.inhibitors.end_pods(kubelet_runs(&store)).await;
    tracing::info!(?ended, "pods asked to end");
    if ended == Ended::Late {
        teller.tell(|it| {
            let late = "some pods did not end in time, and are ended with the node";
            let both = [it.reason.as_str(), late].map(str::to_owned);
            let both: Vec<_> = both.into_iter().filter(|it| !it.is_empty()).collect();
            it.reason = both.join("; ");
        });
    }
    Ok(())
}

/// Whether there is a kubelet that will speak up.
fn kubelet_runs(store: &Store) -> bool {
    let namespace = ServiceStatus::DEFINITION.namespace;
    let snapshot = store.snapshot();
    let status = snapshot.get_as::<ServiceStatus>(namespace, Component::Kubelet.name());
    status.is_some_and(|it| it.spec.state == ServiceState::Running)
}

/// Has pods go elsewhere, and tells what became of it.
async fn drain(store: &Store, way: &Way, teller: &Teller, by: &str, left: Duration) {
    let active = active(&store.snapshot()).ok().flatten();
    if active.is_none_or(|it| it.documents.kubernetes().is_none()) {
        return;
    }
    let Some(node) = name(store).await else {
        return;
    };
    if !others_take_pods(&nodes(store), &node) {
        let reason = "no other node is there to take its pods, so they end with it";
        return teller.tell(|it| reason.clone_into(&mut it.reason));
    }
    let until = SignedDuration::try_from(left).ok();
    let until = until.and_then(|left| Timestamp::now().checked_add(left).ok());
    teller.tell(|it| it.until = until);
    let tell = |progress: &crate::kubernetes::node::drain::Progress| {
        teller.tell(|it| {
            it.cordoned = progress.cordoned;
            it.waits.clone_from(&progress.waits);
        });
    };
    let leaving = Leaving { node: &node, by };
    let drained = way.drainer.drain(leaving, sleep(left), tell).await;
    tracing::info!(%drained, "pods asked to go elsewhere");
    teller.tell(|it| {
        it.until = None;
        it.reason = match &drained {
            Drained::All | Drained::Unknown => String::new(),
            Drained::Not(_) => drained.to_string(),
            Drained::Late => format!("{drained}: {}", it.waits.join("; ")),
        };
        it.waits.clear();
    });
}

/// The node's name, once that is known.
async fn name(store: &Store) -> Option<String> {
    let definition = HostnameSpec::DEFINITION;
    let kind = WatchRequest::kind(definition.namespace, definition.ty);
    let changes = store.watch(kind).ok()?;
    let known = async {
        loop {
            let snapshot = store.snapshot();
            if let Some(it) = snapshot.get_as::<HostnameSpec>(definition.namespace, HOSTNAME) {
                return it.spec.hostname.clone();
            }
            drop(changes.next().await);
        }
    };
    timeout(NAME, known).await.ok()
}

fn nodes(store: &Store) -> Vec<(String, NodeStatus)> {
    let snapshot = store.snapshot();
    let nodes = snapshot.list_as::<NodeStatus>(NodeStatus::DEFINITION.namespace);
    nodes
        .map(|it| (it.id().to_owned(), (*it.spec).clone()))
        .collect()
}

/// Whether there is a node that pods could go to: evicted without one they would only wait for this one. While nothing is known of
/// any node, that is found out by asking.
fn others_take_pods(nodes: &[(String, NodeStatus)], own: &str) -> bool {
    let mut others = nodes.iter().filter(|(name, _)| name != own);
    nodes.is_empty() || others.any(|(_, it)| it.ready && it.schedulable)
}

/// Has the node leave etcd. The last member goes with its node, as whoever names the disk wants it.
async fn leave_etcd(store: &Store, way: &Way, abandon: bool) -> Result<(), String> {
    let Ok(tls) = access::tls_of(store, Timestamp::now()) else {
        return Ok(());
    };
    match leave(&way.bootstrap, store, leave::own(), &tls).await {
        Ok(_) | Err(LeaveError::Last) => Ok(()),
        Err(error) if abandon => {
            tracing::warn!(error = cosi::report(&error), "resets without leaving etcd");
            Ok(())
        }
        Err(error) => Err(format!(
            "{}; `osctl reset --abandon-etcd` resets the node all the same, and then `osctl etcd remove-member` on another one removes its member",
            cosi::report(&error)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, ready: bool, schedulable: bool) -> (String, NodeStatus) {
        let status = NodeStatus {
            ready,
            schedulable,
            ..NodeStatus::default()
        };
        (name.to_owned(), status)
    }

    #[test]
    fn pods_go_where_another_node_is_there_for_them() {
        let own = node("w-1", true, true);
        let take = |others: &[(String, NodeStatus)]| {
            let all = [std::slice::from_ref(&own), others].concat();
            others_take_pods(&all, "w-1")
        };
        assert!(!take(&[]));
        assert!(!take(&[node("a", false, true), node("b", true, false)]));
        assert!(take(&[node("a", false, true), node("b", true, true)]));
        assert!(others_take_pods(&[], "w-1"));
    }
}
