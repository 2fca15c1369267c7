//! How far a cluster of Kubernetes is, as its nodes tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cosi::wire::Client;
use resources::kubernetes::{ApiServerEndpoint, NodeStatus};
use resources::net::HostnameSpec;
use resources::runtime::{Health, ServiceState, ServiceStatus};
use store::{Registry, Spec};
use tonic::transport::Channel;

use crate::explain::sentence;
use crate::fleet::Session;
use crate::output::{self, with_reason};
use crate::progress::Progress;
use crate::tries::{self, Pace};

/// How long one look may take, where nodes are not slower than most.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// How it is looked after.
const PACE: Pace = Pace {
    interval: Duration::from_secs(2),
    longest: LOOK,
};

/// What a control plane cannot begin without, in order.
const PLANE: [&str; 3] = ["containerd", "etcd", "kubelet"];

/// What every node runs, in order.
const NODE: [&str; 2] = ["containerd", "kubelet"];

/// What one node says.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What it is called.
    own: String,
    services: BTreeMap<String, ServiceStatus>,
    nodes: BTreeMap<String, NodeStatus>,
    servers: BTreeMap<String, ApiServerEndpoint>,
}

/// A node that pods cannot come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// The cluster does not know it.
    Unknown(String),
    /// It knows it, and says why not.
    Known(String),
}

impl Seen {
    /// Asks a node.
    pub(crate) async fn of(channel: Channel) -> Result<Self> {
        let mut registry = Registry::new();
        registry
            .register::<ServiceStatus>()?
            .register::<HostnameSpec>()?
            .register::<NodeStatus>()?
            .register::<ApiServerEndpoint>()?;
        let client = Client::new(channel, Arc::new(registry));
        let name = all::<HostnameSpec>(&client).await?.into_values().next();
        Ok(Self {
            own: name.map(|it| it.hostname).unwrap_or_default(),
            services: all(&client).await?,
            nodes: all(&client).await?,
            servers: all(&client).await?,
        })
    }

    /// What this control plane waits for until the API server knows it; nothing once it does.
    pub(crate) fn beginning(&self) -> Option<String> {
        if self.nodes.contains_key(&self.own) {
            return None;
        }
        let unwell = self.unwell(&PLANE);
        Some(unwell.unwrap_or_else(|| "waits for the API server".to_owned()))
    }

    /// What this node waits for until it can join the cluster.
    pub(crate) fn joining(&self) -> String {
        let unwell = self.unwell(&NODE);
        unwell.unwrap_or_else(|| "waits until the cluster knows it".to_owned())
    }

    /// The first of these services that is not well.
    fn unwell(&self, names: &[&str]) -> Option<String> {
        names
            .iter()
            .find_map(|name| match self.services.get(*name) {
                None => Some(format!("waits for {name}")),
                Some(status) => unwell(name, status),
            })
    }

    /// The first of these nodes that is not Ready.
    pub(crate) fn unready(&self, names: &[String]) -> Option<Unready> {
        names.iter().find_map(|name| match self.nodes.get(name) {
            None => Some(Unready::Unknown(name.clone())),
            Some(status) if status.ready => None,
            Some(status) => {
                let is = format!("{name} is not Ready");
                Some(Unready::Known(with_reason(&is, &status.reason)))
            }
        })
    }

    /// The first of these control planes whose API server does not take requests. One that does has an etcd beside it that votes.
    pub(crate) fn silent(&self, planes: &[String]) -> Option<String> {
        planes.iter().find_map(|plane| {
            let mut ways = self.servers.values().filter(|it| it.node == *plane);
            let ApiServerEndpoint { well, reason, .. } = ways.next().cloned().unwrap_or_default();
            if well || ways.any(|it| it.well) {
                return None;
            }
            let waits = format!("{plane}: waits for its API server");
            Some(with_reason(&waits, &reason))
        })
    }
}

/// What is wrong with a service that is there.
pub(super) fn unwell(name: &str, status: &ServiceStatus) -> Option<String> {
    let is = match (status.state, status.health) {
        (ServiceState::Running, Health::Healthy) => return None,
        (ServiceState::Running, Health::Unhealthy) => output::word(&status.health),
        _ => output::word(&status.state),
    };
    Some(with_reason(&format!("{name} is {is}"), &status.reason))
}

/// All resources of a type, by their ids.
pub(crate) async fn all<S: Spec + Clone>(client: &Client) -> Result<BTreeMap<String, S>> {
    let found = client.list_as::<S>(S::DEFINITION.namespace).await?;
    let found = found.into_iter();
    Ok(found
        .map(|it| (it.id().to_owned(), (*it.spec).clone()))
        .collect())
}

/// What is known of what is missing.
#[derive(Debug, Default)]
struct Heard {
    /// What was said of it.
    said: String,
    /// What was missing or wrong last.
    last: String,
}

impl Heard {
    /// Takes what is missing, or why nobody knows; gives what is to be said, once.
    fn take(&mut self, what: Result<String, String>) -> Option<String> {
        // Nodes under load answer late; what is wrong is told if it stays so.
        self.last = what.clone().unwrap_or_else(|why| why);
        let new = what.ok().filter(|it| *it != self.said)?;
        self.said.clone_from(&new);
        Some(new)
    }
}

/// What a control plane waits for until the API server knows it, in one line.
pub(crate) async fn beginning(session: &Session, node: &str) -> Result<Option<String>> {
    let seen = session.again(node, Seen::of).await?;
    Ok(seen.beginning().map(|what| format!("{node}: {what}")))
}

/// Asks until nothing is missing any more, and says what is, each time that is something else. One look may take `longest`. When time
/// is up, what was missing or wrong last.
pub(crate) async fn wait<F>(
    limit: Duration,
    longest: Duration,
    progress: &Progress,
    missing: impl Fn() -> F,
) -> Result<(), String>
where
    F: Future<Output = Result<Option<String>>>,
{
    let mut heard = Heard::default();
    let done = tries::until(PACE.with_tries_of(longest), missing, |seen| {
        let what = match seen {
            Ok(None) => return Some(()),
            Ok(Some(what)) => Ok(what),
            Err(error) => Err(sentence(&error)),
        };
        if let Some(new) = heard.take(what) {
            progress.step(new);
        }
        None
    });
    let done = tokio::time::timeout(limit, done).await;
    done.map_err(|_| heard.last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(state: ServiceState, health: Health, reason: &str) -> ServiceStatus {
        ServiceStatus {
            state,
            health,
            reason: reason.to_owned(),
            ..ServiceStatus::default()
        }
    }

    fn node(ready: bool, reason: &str) -> NodeStatus {
        NodeStatus {
            ready,
            reason: reason.to_owned(),
            ..NodeStatus::default()
        }
    }

    #[test]
    fn it_tells_what_a_control_plane_waits_for() {
        let mut seen = Seen {
            own: "a".to_owned(),
            ..Seen::default()
        };
        let told = |seen: &Seen| seen.beginning().unwrap_or_default();
        assert_eq!(told(&seen), "waits for containerd");
        let well = || service(ServiceState::Running, Health::Healthy, "");
        seen.services.insert("containerd".to_owned(), well());
        let waits = service(ServiceState::Waiting, Health::Unknown, "condition etcd");
        seen.services.insert("etcd".to_owned(), waits);
        assert_eq!(told(&seen), "etcd is waiting: condition etcd");
        let starts = service(ServiceState::Running, Health::Unknown, "");
        seen.services.insert("etcd".to_owned(), starts);
        assert_eq!(told(&seen), "etcd is running");
        let ill = service(ServiceState::Running, Health::Unhealthy, "no leader");
        seen.services.insert("etcd".to_owned(), ill);
        assert_eq!(told(&seen), "etcd is unhealthy: no leader");
        seen.services.insert("etcd".to_owned(), well());
        assert_eq!(told(&seen), "waits for kubelet");
        assert_eq!(seen.joining(), "waits for kubelet");
        seen.services.insert("kubelet".to_owned(), well());
        assert_eq!(told(&seen), "waits for the API server");
        assert_eq!(seen.joining(), "waits until the cluster knows it");
        seen.nodes.insert("b".to_owned(), node(true, ""));
        assert_eq!(told(&seen), "waits for the API server");
        seen.nodes.insert("a".to_owned(), node(false, ""));
        assert_eq!(seen.beginning(), None);
    }

    #[test]
    fn it_is_ready_when_all_its_nodes_are() {
        let mut seen = Seen::default();
        let names = ["a".to_owned(), "b".to_owned()];
        let unknown = |name: &str| Some(Unready::Unknown(name.to_owned()));
        let known = |told: &str| Some(Unready::Known(told.to_owned()));
        assert_eq!(seen.unready(&names), unknown("a"));
        seen.nodes.insert("a".to_owned(), node(false, "no network"));
        assert_eq!(seen.unready(&names), known("a is not Ready: no network"));
        seen.nodes.insert("a".to_owned(), node(true, ""));
        assert_eq!(seen.unready(&names), unknown("b"));
        seen.nodes.insert("b".to_owned(), node(false, ""));
        assert_eq!(seen.unready(&names), known("b is not Ready"));
        seen.nodes.insert("b".to_owned(), node(true, ""));
        seen.nodes.insert("another".to_owned(), node(false, ""));
        assert_eq!(seen.unready(&names), None);
    }

    #[test]
    fn what_is_missing_is_said_once_whatever_goes_wrong_between() {
        let mut heard = Heard::default();
        let etcd = || "waits for etcd".to_owned();
        assert_eq!(heard.take(Ok(etcd())), Some(etcd()));
        assert_eq!(heard.take(Err("no answer".to_owned())), None);
        assert_eq!(heard.last, "no answer");
        assert_eq!(heard.take(Ok(etcd())), None);
        assert_eq!(heard.last, etcd());
    }

    #[test]
    fn every_control_plane_needs_an_api_server_that_is_well() {
        let server = |node: &str, well: bool, reason: &str| ApiServerEndpoint {
            node: node.to_owned(),
            well,
            reason: reason.to_owned(),
            ..ApiServerEndpoint::default()
        };
        let mut seen = Seen::default();
        let planes = ["a".to_owned(), "b".to_owned()];
        let told = |seen: &Seen| seen.silent(&planes).unwrap_or_default();
        assert_eq!(told(&seen), "a: waits for its API server");
        seen.servers
            .insert("127.0.0.1:6443".to_owned(), server("a", true, ""));
        seen.servers
            .insert("10.0.2.16:6443".to_owned(), server("b", false, "refused"));
        assert_eq!(told(&seen), "b: waits for its API server: refused");
        // By one of its addresses is enough.
        seen.servers
            .insert("[fd00::2]:6443".to_owned(), server("b", true, ""));
        assert_eq!(seen.silent(&planes), None);
    }

    #[test]
    fn who_waits_is_told_what_was_missing_last() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.expect("a runtime");
        let progress = Progress::new();
        let never = || async { Ok(Some("the sun".to_owned())) };
        let missed = runtime.block_on(wait(Duration::from_secs(1), LOOK, &progress, never));
        assert_eq!(missed, Err("the sun".to_owned()));
        let there = || async { Ok(None) };
        let hour = Duration::from_secs(3600);
        assert_eq!(runtime.block_on(wait(hour, LOOK, &progress, there)), Ok(()));
    }
}
