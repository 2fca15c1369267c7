//! Decides what a worker gets that asks for certificates. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ::api::v1alpha1::IssueRequest;
use ::config::{Hostname, Network};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::{SignedDuration, Timestamp};
use pki::{BACK_DATED, Certificate, Challenge, Names, Request, Subject, Trust};

use super::refusal::Refusal;
use super::{KUBELET, KUBELET_SERVING, MACHINE};

/// How long what another call has proven counts: asking from each of a node's addresses takes seconds.
const BEFORE: SignedDuration = SignedDuration::from_mins(10);

/// A node of the cluster, as far as it matters here.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) control_plane: bool,
}

/// What the control plane knows.
pub(super) struct Facts<'a> {
    /// The token of the cluster.
    pub(super) token: &'a str,
    /// What it was before, and some workers still show.
    pub(super) former_tokens: &'a [String],
    /// What this connection was asked to sign.
    pub(super) challenge: Option<Challenge>,
    /// Where it comes from.
    pub(super) source: IpAddr,
    /// What this control plane and the endpoint go by.
    pub(super) ours: &'a Names,
    /// All nodes of the cluster that are known.
    pub(super) nodes: &'a [Node],
    /// The networks of pods and services.
    pub(super) ranges: &'a [Network],
    /// The authority of the nodes' API.
    pub(super) trust: &'a Trust,
    pub(super) now: Timestamp,
}

/// What somebody may have, if the name is his.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) name: String,
    /// Whether the token that he showed is a former one.
    pub(super) by_former: bool,
    /// The name and every address that he proved.
    pub(super) names: Names,
    pub(super) machine: Request,
    pub(super) kubelet: Request,
    pub(super) kubelet_serving: Request,
}

/// Judges a request by all but whose the name is.
pub(super) fn judge(ask: &IssueRequest, facts: &Facts<'_>) -> Result<Claim, Refusal> {
    let by_former = by_former(&ask.token, facts).ok_or(Refusal::Token)?;
    let challenge = facts.challenge.ok_or(Refusal::Challenge)?;
    let name = name(&ask.name, facts)?;
    let read = |der: &[u8], purpose| {
        let subject = Subject {
            name: &name,
            purpose,
            challenge: &challenge,
        };
        Request::read(der, &subject)
    };
    let machine = read(&ask.machine, MACHINE)?;
    let kubelet = read(&ask.kubelet, KUBELET)?;
    let kubelet_serving = read(&ask.kubelet_serving, KUBELET_SERVING)?;
    let mut addresses = BTreeSet::from([facts.source]);
    addresses.extend(before(ask, &machine, &name, facts));
    for address in &addresses {
        is_a_workers(*address, &name, facts)?;
    }
    let names = BTreeSet::from([name.clone()]);
    Ok(Claim {
        names: Names { names, addresses },
        by_former,
        name,
        machine,
        kubelet,
        kubelet_serving,
    })
}

/// Whether a token is a former one; `None` for one that is none. How long that takes says nothing of which it is.
fn by_former(shown: &str, facts: &Facts<'_>) -> Option<bool> {
    let is = |token: &str| verify_slices_are_equal(shown.as_bytes(), token.as_bytes()).is_ok();
    let present = is(facts.token);
    let former = facts.former_tokens.iter().filter(|it| is(it)).count() > 0;
    (present || former).then_some(!present)
}

/// The name as one that a worker can have: a label, so that it is no host name with a domain that somebody else may go by.
fn name(asked: &str, facts: &Facts<'_>) -> Result<String, Refusal> {
    let name = asked.parse::<Hostname>();
    let name = name
        .ok()
        .filter(|name| !name.as_str().contains('.'))
        .ok_or_else(|| Refusal::Name(asked.to_owned()))?;
    let mut planes = facts.nodes.iter().filter(|node| node.control_plane);
    let name = name.as_str().to_owned();
    if facts.ours.names.contains(&name) || planes.any(|node| node.name == name) {
        return Err(Refusal::ControlPlane(name));
    }
    Ok(name)
}

/// The addresses that the same key proved a moment ago by calls from there: they are in the certificate that it got then.
fn before(
    ask: &IssueRequest,
    machine: &Request,
    name: &str,
    facts: &Facts<'_>,
) -> BTreeSet<IpAddr> {
    let issued = |it: &Certificate| it.not_before.checked_add(BACK_DATED).ok();
    let known = facts.trust.server(&ask.before, name, facts.now);
    let known = known.filter(|it| {
        let age = issued(it).map(|issued| facts.now.duration_since(issued));
        it.fingerprint == machine.fingerprint() && age.is_some_and(|age| age.abs() <= BEFORE)
    });
    known.map(|it| it.names.addresses).unwrap_or_default()
}

/// Whether a worker of that name can have an address.
fn is_a_workers(address: IpAddr, name: &str, facts: &Facts<'_>) -> Result<(), Refusal> {
    let refuse = |whose: &str| {
        let whose = whose.to_owned();
        Err(Refusal::Address { address, whose })
    };
    let local = match address {
        IpAddr::V4(it) => it.is_loopback() || it.is_link_local() || it.is_unspecified(),
        IpAddr::V6(it) => it.is_loopback() || it.is_unicast_link_local() || it.is_unspecified(),
    };
    if local {
        return refuse("no address that others reach a node by");
    }
    if facts.ours.addresses.contains(&address) {
        return refuse("an address of the control plane or of the cluster's endpoint");
    }
    if facts.ranges.iter().any(|range| range.contains(address)) {
        return refuse("in a range of pods or services");
    }
    let mut others = facts.nodes.iter().filter(|node| node.name != name);
    match others.find(|node| node.addresses.contains(&address)) {
        Some(other) => refuse(&format!("an address of the node `{}`", other.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
