//! What a cluster that is well has, in the order in which one thing needs the other. Pure.

use std::collections::BTreeMap;

use resources::kubernetes::NodeStatus;
use serde::Serialize;

use super::facts::Facts;
use super::{etcd, workload};
use crate::output::with_reason;

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

impl Failure {
    pub(super) fn new(node: &str, reason: impl Into<String>) -> Self {
        Self {
            node: node.to_owned(),
            reason: reason.into(),
        }
    }
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

/// What is known of all nodes.
#[derive(Debug)]
pub(super) struct Cluster<'a> {
    /// Those that were asked and have answered, by what they were asked for.
    pub(super) found: Vec<(&'a str, &'a Facts)>,
    /// Every node that should be of the cluster or is, as whichever node knows best has it: those of the control plane do.
    pub(super) nodes: BTreeMap<&'a str, Option<&'a NodeStatus>>,
}

impl<'a> Cluster<'a> {
    fn new(nodes: &'a [Node]) -> Self {
        let found: Vec<_> = nodes
            .iter()
            .filter_map(|(node, facts)| Some((node.as_str(), facts.as_ref().ok()?)))
            .collect();
        let of_cluster = found.iter().filter(|(_, it)| it.cluster.is_some());
        let plane = of_cluster.clone().find(|(_, it)| it.plane().is_some());
        let told = plane.or_else(|| of_cluster.clone().next());
        let mut nodes: BTreeMap<_, _> = of_cluster.map(|(_, it)| (&*it.own, None)).collect();
        if let Some((_, told)) = told {
            nodes.extend(told.nodes.iter().map(|(name, it)| (&**name, Some(it))));
        }
        Self { found, nodes }
    }

    /// The nodes of the control plane that have answered.
    pub(super) fn planes(&self) -> impl Iterator<Item = (&'a str, &'a Facts)> {
        let found = self.found.iter().copied();
        found.filter(|(_, it)| it.plane().is_some())
    }
}

/// What a check is about.
enum Of {
    /// Each node by itself.
    Own(fn(&Facts) -> Option<String>),
    /// Each node as its cluster knows it.
    Known(fn(Option<&NodeStatus>) -> Option<String>),
    /// All together.
    All(fn(&Cluster<'_>) -> Vec<Failure>),
}

/// Every check but the first, that a node answers: its name, what it finds wrong, and what tells more.
const CHECKS: [(&str, Of, &str); 18] = [
    ("stage", Of::Own(Facts::stage), "osctl get stages"),
    (
        "memory",
        Of::Own(Facts::memory),
        "osctl get machinestatuses",
    ),
    ("volumes", Of::Own(Facts::volumes), "osctl volumes"),
    ("disk", Of::Own(Facts::disk), "osctl volumes"),
    ("time", Of::Own(Facts::time), "osctl time"),
    ("etcd", Of::Own(Facts::etcd), "osctl logs etcd"),
    ("etcd members", Of::All(etcd::members), "osctl etcd members"),
    ("etcd alarms", Of::All(etcd::alarms), "osctl etcd alarms"),
    ("kubelet", Of::Own(Facts::kubelet), "osctl logs kubelet"),
    ("api server", Of::Own(Facts::server), "osctl get apiservers"),
    ("known", Of::Known(known), "osctl get conditions node"),
    (
        "control planes",
        Of::All(etcd::planes),
        "osctl etcd members",
    ),
    ("static pods", Of::Own(Facts::static_pods), "osctl get pods"),
    ("components", Of::Own(Facts::components), "osctl get pods"),
    ("ready", Of::Known(ready), "osctl get nodestatuses"),
    (
        "kube-proxy",
        Of::All(workload::proxy),
        "osctl get workloads",
    ),
    ("coredns", Of::All(workload::dns), "osctl get workloads"),
    ("schedulable", Of::Known(schedulable), "kubectl uncordon"),
];

fn known(status: Option<&NodeStatus>) -> Option<String> {
    match status {
        Some(_) => None,
        None => Some("the cluster does not know it".to_owned()),
    }
}

fn ready(status: Option<&NodeStatus>) -> Option<String> {
    let unready = status.filter(|it| !it.ready)?;
    Some(with_reason("it is not Ready", &unready.reason))
}

fn schedulable(status: Option<&NodeStatus>) -> Option<String> {
    let closed = status.filter(|it| !it.schedulable);
    closed.map(|_| "new pods do not come to it: it is cordoned".to_owned())
}

/// All checks of these nodes, in order. Those of Kubernetes are about nodes whose config has it, and about all that these know.
pub(super) fn outcomes(nodes: &[Node]) -> Vec<Outcome> {
    let silent = nodes.iter().filter_map(|(node, facts)| {
        let reason = facts.as_ref().err()?;
        Some(Failure::new(node, reason))
    });
    let mut all = vec![outcome("api", silent.collect(), "osctl version")];
    let cluster = Cluster::new(nodes);
    for (check, of, next) in CHECKS {
        let failures = match of {
            Of::Own(wrong) => {
                let each = cluster.found.iter();
                each.filter_map(|(node, facts)| Some(Failure::new(node, wrong(facts)?)))
                    .collect()
            }
            Of::Known(wrong) => {
                let each = cluster.nodes.iter();
                each.filter_map(|(node, status)| Some(Failure::new(node, wrong(*status)?)))
                    .collect()
            }
            Of::All(wrong) => wrong(&cluster),
        };
        all.push(outcome(check, failures, next));
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

#[cfg(test)]
mod tests;
