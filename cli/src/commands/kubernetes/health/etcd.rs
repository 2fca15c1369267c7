//! Whether etcd is one, and the control plane it. Pure.

use std::collections::BTreeSet;

use api::v1alpha1::EtcdMember;

use super::checks::{Cluster, Failure};
use super::facts::Etcd;
use crate::output::with_reason;

/// What etcd says through the first node of the control plane that has it say anything.
fn told<'a>(cluster: &Cluster<'a>) -> Option<(&'a str, &'a Etcd)> {
    let mut planes = cluster.planes();
    planes.find_map(|(node, it)| Some((node, it.etcd.as_ref()?.as_ref().ok()?)))
}

/// Who a member is, to people.
fn name(member: &EtcdMember) -> &str {
    if member.name.is_empty() {
        &member.id
    } else {
        &member.name
    }
}

fn names(etcd: &Etcd) -> String {
    let names: Vec<_> = etcd.members.iter().map(name).collect();
    names.join(", ")
}

/// Every node of the control plane sees the same members, and all of them vote.
pub(super) fn members(cluster: &Cluster<'_>) -> Vec<Failure> {
    let mut failures = Vec::new();
    let first = told(cluster);
    for (node, facts) in cluster.planes() {
        let etcd = match &facts.etcd {
            Some(Ok(etcd)) => etcd,
            Some(Err(reason)) => {
                failures.push(Failure::new(
                    node,
                    with_reason("etcd does not say who its members are", reason),
                ));
                continue;
            }
            None => continue,
        };
        let Some((other, seen)) = first else { continue };
        if etcd.cluster != seen.cluster {
            let reason = format!("its etcd is another cluster than that of {other}");
            failures.push(Failure::new(node, reason));
        } else if etcd.members != seen.members {
            let (own, theirs) = (names(etcd), names(seen));
            let reason = format!("it sees other members than {other}: {own}, not {theirs}");
            failures.push(Failure::new(node, reason));
        }
    }
    for member in first.iter().flat_map(|(_, it)| &it.members) {
        let reason = if member.name.is_empty() {
            "it was added to etcd and has not started yet"
        } else if member.learner {
            "its member of etcd only listens yet, and has no vote"
        } else {
            continue;
        };
        failures.push(Failure::new(name(member), reason));
    }
    failures
}

/// Nothing is wrong with etcd that somebody has to say is over.
pub(super) fn alarms(cluster: &Cluster<'_>) -> Vec<Failure> {
    let alarms = told(cluster).into_iter().flat_map(|(_, it)| &it.alarms);
    let each = alarms.map(|it| {
        let node = if it.name.is_empty() {
            &it.member
        } else {
            &it.name
        };
        Failure::new(node, format!("alarm {}", it.alarm))
    });
    each.collect()
}

/// The nodes of the control plane are the members of etcd, and no others are.
pub(super) fn planes(cluster: &Cluster<'_>) -> Vec<Failure> {
    let Some((_, etcd)) = told(cluster) else {
        return Vec::new();
    };
    let own = cluster.planes().map(|(_, it)| it.own.as_str());
    let labelled = cluster.nodes.iter().filter_map(|(node, status)| {
        let plane = status.is_some_and(|it| it.control_plane);
        plane.then_some(*node)
    });
    let planes: BTreeSet<_> = own.chain(labelled).collect();
    let members = etcd.members.iter().map(|it| it.name.as_str());
    // What has no name yet was told of already.
    let members: BTreeSet<_> = members.filter(|it| !it.is_empty()).collect();
    let alone = planes
        .difference(&members)
        .map(|node| Failure::new(node, "it is of the control plane, and no member of etcd"));
    let left = members.difference(&planes).map(|node| {
        let reason = "it is a member of etcd, and no node of the control plane; `osctl etcd remove-member` removes one that is gone for good";
        Failure::new(node, reason)
    });
    alone.chain(left).collect()
}
