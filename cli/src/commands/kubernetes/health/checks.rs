//! What a cluster that is well has, in the order in which one thing needs the other. Pure but for the asking.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use cosi::wire::Client;
use resources::block::{VolumePhase, VolumeStatus};
use resources::kubernetes::{ApiServerEndpoint, KubernetesSpec, NodeStatus};
use resources::net::{HostnameSpec, TIME};
use resources::runtime::{Condition, Health, ServiceState, ServiceStatus, Stage, StageStatus};
use serde::Serialize;
use store::Registry;
use tonic::transport::Channel;

use super::super::seen::all;
use crate::output;

/// What one node says of itself, and of the others.
#[derive(Debug, Default)]
pub(super) struct Facts {
    own: String,
    stage: Option<StageStatus>,
    volumes: BTreeMap<String, VolumeStatus>,
    conditions: BTreeMap<String, Condition>,
    services: BTreeMap<String, ServiceStatus>,
    cluster: Option<KubernetesSpec>,
    servers: BTreeMap<String, ApiServerEndpoint>,
    nodes: BTreeMap<String, NodeStatus>,
}

/// A node that was asked: what it says, or why it says nothing.
pub(super) type Node = (String, Result<Facts, String>);

/// Why a check is not passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    /// The node that it is about.
    pub(super) node: String,
    /// What is wrong there.
    pub(super) reason: String,
}

/// What came of a check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    /// Its name.
    pub(super) check: &'static str,
    /// Whether every node passed.
    pub(super) passed: bool,
    /// Those that did not.
    pub(super) failures: Vec<Failure>,
    /// What tells more.
    #[serde(skip)]
    pub(super) next: &'static str,
}

impl Facts {
    /// Asks a node.
    pub(super) async fn of(channel: Channel) -> Result<Self> {
        let mut registry = Registry::new();
        registry
            .register::<HostnameSpec>()?
            .register::<StageStatus>()?
            .register::<VolumeStatus>()?
            .register::<Condition>()?
            .register::<ServiceStatus>()?
            .register::<KubernetesSpec>()?
            .register::<ApiServerEndpoint>()?
            .register::<NodeStatus>()?;
        let client = Client::new(channel, Arc::new(registry));
        let name = all::<HostnameSpec>(&client).await?.into_values().next();
        Ok(Self {
            own: name.map(|it| it.hostname).unwrap_or_default(),
            stage: all(&client).await?.into_values().next(),
            volumes: all(&client).await?,
            conditions: all(&client).await?,
            services: all(&client).await?,
            cluster: all(&client).await?.into_values().next(),
            servers: all(&client).await?,
            nodes: all(&client).await?,
        })
    }

    fn stage(&self) -> Option<String> {
        let Some(StageStatus { stage, reason }) = &self.stage else {
            return Some("it does not say how far it is".to_owned());
        };
        let is = with(&format!("it is {}", output::word(stage)), reason);
        (*stage != Stage::Running).then_some(is)
    }

    fn volumes(&self) -> Option<String> {
        let mut all = self.volumes.iter();
        let (name, status) = all.find(|(_, it)| it.phase != VolumePhase::Ready)?;
        let is = format!("volume {name} is {}", output::word(&status.phase));
        Some(with(&is, &status.reason))
    }

    fn time(&self) -> Option<String> {
        let unmet = self.conditions.get(TIME).filter(|it| !it.met)?;
        Some(with("nobody vouches for its clock", &unmet.message))
    }

    fn etcd(&self) -> Option<String> {
        self.plane()?;
        self.service("etcd")
    }

    fn kubelet(&self) -> Option<String> {
        self.cluster.as_ref()?;
        self.service("containerd")
            .or_else(|| self.service("kubelet"))
    }

    fn server(&self) -> Option<String> {
        self.cluster.as_ref()?;
        if self.servers.values().any(|it| it.well) {
            return None;
        }
        let last = self.servers.iter().next();
        let last = last.map(|(at, it)| format!("{at}: {}", it.reason));
        Some(with("it reaches no API server", &last.unwrap_or_default()))
    }

    fn plane(&self) -> Option<&KubernetesSpec> {
        self.cluster.as_ref().filter(|it| it.control_plane)
    }

    /// What is wrong with a service of the node.
    fn service(&self, name: &str) -> Option<String> {
        let Some(status) = self.services.get(name) else {
            return Some(format!("there is no service {name} yet"));
        };
        if status.state == ServiceState::Running && status.health == Health::Healthy {
            return None;
        }
        let is = match status.state {
            ServiceState::Running => format!("{name} is {}", output::word(&status.health)),
            _ => format!("{name} is {}", output::word(&status.state)),
        };
        Some(with(&is, &status.reason))
    }
}

fn with(is: &str, reason: &str) -> String {
    if reason.is_empty() {
        return is.to_owned();
    }
    format!("{is}: {reason}")
}

/// A check of each node by itself: its name, what it finds wrong, and what tells more.
type Own = (&'static str, fn(&Facts) -> Option<String>, &'static str);

const OWN: [Own; 6] = [
    ("stage", Facts::stage, "osctl get stages"),
    ("volumes", Facts::volumes, "osctl volumes"),
    ("time", Facts::time, "osctl time"),
    ("etcd", Facts::etcd, "osctl logs etcd"),
    ("kubelet", Facts::kubelet, "osctl logs kubelet"),
    ("api server", Facts::server, "osctl get apiservers"),
];

/// What is found wrong with a node as its cluster knows it.
type Known = (
    &'static str,
    fn(Option<&NodeStatus>) -> Option<String>,
    &'static str,
);

const KNOWN: [Known; 3] = [
    ("known", known, "osctl get conditions node"),
    ("ready", ready, "osctl get nodestatuses"),
    ("schedulable", schedulable, "kubectl uncordon"),
];

fn known(status: Option<&NodeStatus>) -> Option<String> {
    match status {
        Some(_) => None,
        None => Some("the cluster does not know it".to_owned()),
    }
}

fn ready(status: Option<&NodeStatus>) -> Option<String> {
    let unready = status.filter(|it| !it.ready)?;
    Some(with("it is not Ready", &unready.reason))
}

fn schedulable(status: Option<&NodeStatus>) -> Option<String> {
    let closed = status.filter(|it| !it.schedulable);
    closed.map(|_| "new pods do not come to it: it is cordoned".to_owned())
}

/// All checks of these nodes, in order. Those of Kubernetes are about nodes whose config has it, and about all that these know.
pub(super) fn outcomes(nodes: &[Node]) -> Vec<Outcome> {
    let silent = nodes.iter().filter_map(|(node, facts)| {
        let reason = facts.as_ref().err()?.clone();
        let node = node.clone();
        Some(Failure { node, reason })
    });
    let mut all = vec![outcome("api", silent.collect(), "osctl version")];
    let found: Vec<_> = nodes
        .iter()
        .filter_map(|(node, facts)| Some((node, facts.as_ref().ok()?)))
        .collect();
    for (check, wrong, next) in OWN {
        let failures = found.iter().filter_map(|(node, facts)| {
            let reason = wrong(facts)?;
            let node = (*node).clone();
            Some(Failure { node, reason })
        });
        all.push(outcome(check, failures.collect(), next));
    }
    let members = members(&found);
    for (check, wrong, next) in KNOWN {
        let failures = members.iter().filter_map(|(node, status)| {
            let reason = wrong(*status)?;
            let node = (*node).to_owned();
            Some(Failure { node, reason })
        });
        all.push(outcome(check, failures.collect(), next));
    }
    all
}

fn outcome(check: &'static str, failures: Vec<Failure>, next: &'static str) -> Outcome {
    Outcome {
        check,
        passed: failures.is_empty(),
        failures,
        next,
    }
}

/// Every node that should be of the cluster or is, as whichever node knows best has it: those of the control plane do.
fn members<'a>(found: &[(&String, &'a Facts)]) -> BTreeMap<&'a str, Option<&'a NodeStatus>> {
    let mut of_cluster = found.iter().filter(|(_, it)| it.cluster.is_some());
    let plane = of_cluster.clone().find(|(_, it)| it.plane().is_some());
    let told = plane.or_else(|| of_cluster.clone().next());
    let mut members: BTreeMap<_, _> = of_cluster
        .by_ref()
        .map(|(_, it)| (&*it.own, None))
        .collect();
    if let Some((_, told)) = told {
        members.extend(told.nodes.iter().map(|(name, it)| (&**name, Some(it))));
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well(own: &str, control_plane: bool) -> Facts {
        let stage = StageStatus {
            stage: Stage::Running,
            reason: String::new(),
        };
        let service = ServiceStatus {
            state: ServiceState::Running,
            health: Health::Healthy,
            ..ServiceStatus::default()
        };
        let services = ["containerd", "etcd", "kubelet"].map(|it| (it.to_owned(), service.clone()));
        let server = ApiServerEndpoint {
            well: true,
            ..ApiServerEndpoint::default()
        };
        let node = NodeStatus {
            ready: true,
            schedulable: true,
            ..NodeStatus::default()
        };
        let nodes = ["cp-1", "worker-1"].map(|it| (it.to_owned(), node.clone()));
        Facts {
            own: own.to_owned(),
            stage: Some(stage),
            services: services.into(),
            cluster: Some(KubernetesSpec {
                control_plane,
                ..KubernetesSpec::default()
            }),
            servers: [("127.0.0.1:6443".to_owned(), server)].into(),
            nodes: nodes.into(),
            ..Facts::default()
        }
    }

    /// The failing checks of a cluster that is changed so.
    fn failing(change: impl Fn(&mut Facts, &mut Facts)) -> Vec<String> {
        let (mut plane, mut worker) = (well("cp-1", true), well("worker-1", false));
        worker.services.remove("etcd");
        change(&mut plane, &mut worker);
        let nodes = [
            ("cp-1".to_owned(), Ok(plane)),
            ("worker-1".to_owned(), Ok(worker)),
        ];
        let failed = outcomes(&nodes).into_iter().filter(|it| !it.passed);
        failed
            .flat_map(|it| {
                let check = it.check;
                it.failures
                    .into_iter()
                    .map(move |it| format!("{check}: {}: {}", it.node, it.reason))
            })
            .collect()
    }

    #[test]
    fn a_cluster_that_is_well_passes() {
        assert!(failing(|_, _| {}).is_empty());
        // And so does a node without Kubernetes.
        let alone = |facts: &mut Facts| {
            let stage = facts.stage.take();
            *facts = Facts {
                stage,
                ..Facts::default()
            };
        };
        assert!(
            failing(|plane, worker| {
                alone(plane);
                alone(worker);
            })
            .is_empty()
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_node() {
        let told = failing(|plane, worker| {
            let etcd = plane.services.get_mut("etcd").expect("there");
            etcd.health = Health::Unhealthy;
            etcd.reason = "no leader".to_owned();
            worker.services.remove("kubelet");
            worker.servers.clear();
            plane.nodes.get_mut("worker-1").expect("there").schedulable = false;
            plane.nodes.get_mut("cp-1").expect("there").ready = false;
            let unmet = Condition {
                met: false,
                message: "no server answers".to_owned(),
            };
            worker.conditions.insert(TIME.to_owned(), unmet);
        });
        assert_eq!(
            told,
            [
                "time: worker-1: nobody vouches for its clock: no server answers",
                "etcd: cp-1: etcd is unhealthy: no leader",
                "kubelet: worker-1: there is no service kubelet yet",
                "api server: worker-1: it reaches no API server",
                "ready: cp-1: it is not Ready",
                "schedulable: worker-1: new pods do not come to it: it is cordoned",
            ]
        );
    }

    #[test]
    fn a_node_that_the_cluster_does_not_know_is_missed() {
        let told = failing(|plane, _| drop(plane.nodes.remove("worker-1")));
        assert_eq!(told, ["known: worker-1: the cluster does not know it"]);
        let nodes = [("cp-1".to_owned(), Err("refused".to_owned()))];
        let first = &outcomes(&nodes)[0];
        assert_eq!((first.check, first.passed), ("api", false));
        assert_eq!(first.failures[0].reason, "refused");
    }
}
