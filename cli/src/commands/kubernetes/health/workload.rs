//! Whether the cluster's own workloads are there: the proxy of services on every node, and the name server. Pure.
//!
//! Who takes one of them away, or never had it, brings something else along: that is as well.

use resources::kubernetes::{KubernetesSpec, PodNetwork, PodStatus};

use super::checks::{Cluster, Failure};
use super::facts::{Facts, SYSTEM};
use crate::output::with_reason;

pub(super) fn proxy(cluster: &Cluster<'_>) -> Vec<Failure> {
    failures(cluster, "kube-proxy", |it| {
        it.network == PodNetwork::Builtin
    })
}

pub(super) fn dns(cluster: &Cluster<'_>) -> Vec<Failure> {
    failures(cluster, "coredns", |_| true)
}

/// What is wrong with one that a cluster has if it is `of` this kind.
fn failures(cluster: &Cluster<'_>, name: &str, of: fn(&KubernetesSpec) -> bool) -> Vec<Failure> {
    let mut planes = cluster.planes();
    let told = planes.find(|(_, it)| it.plane().is_some_and(of));
    let told = told.and_then(|(node, it)| Some((node, missing(it, name)?)));
    let Some((node, reason)) = told else {
        return Vec::new();
    };
    let mut failures = vec![Failure::new(node, reason)];
    for (node, facts) in &cluster.found {
        let pods = facts
            .pods
            .values()
            .filter(|it| is_of(it, name) && !it.ready);
        failures.extend(pods.map(|it| Failure::new(node, with_reason(&it.name, &it.reason))));
    }
    failures
}

/// What a node of the control plane misses of it.
fn missing(facts: &Facts, name: &str) -> Option<String> {
    match facts.manifests.get(name) {
        Some(manifest) if manifest.created == manifest.objects => {}
        Some(manifest) => return Some(with_reason("it is not created yet", &manifest.reason)),
        None => return Some("it is not created yet".to_owned()),
    }
    match facts.workloads.get(name) {
        None => Some("nobody has looked for it yet".to_owned()),
        Some(status) if status.reason.is_empty() => None,
        Some(status) => Some(status.reason.clone()),
    }
}

/// Whether a pod is one of it: their names begin with its own.
fn is_of(pod: &PodStatus, name: &str) -> bool {
    let rest = pod.name.strip_prefix(name);
    pod.namespace == SYSTEM && rest.is_some_and(|it| it.starts_with('-'))
}
