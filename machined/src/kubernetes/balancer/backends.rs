//! The API servers that a connection may go to, and in which order they are thought of. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ::config::{Host, KubernetesEndpoint};
use resources::kubernetes::{ControlPlane, KubernetesSpec};

use super::PORT;
use crate::kubernetes::static_pod::API_PORT;

/// Where an API server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// On which host: at an address, or at whatever addresses a name has at the moment.
    pub host: Host,
    /// At which port.
    pub port: u16,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: Host::Address(address.ip()),
            port: address.port(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host {
            Host::Address(address) => SocketAddr::new(*address, *port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{port}"),
        }
    }
}

/// One API server, or whatever is before some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where it is.
    pub target: Target,
    /// The node that it is on; empty for the cluster's endpoint.
    pub node: String,
}

/// Who chooses.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The name of this node.
    pub name: &'a str,
    /// Its addresses.
    pub addresses: &'a [IpAddr],
}

/// Where the API server of this node is, on a control plane.
#[must_use]
pub fn beside() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT))
}

/// All of them, the best first and none twice: the node's own, those of the other nodes of the control plane, the cluster's endpoint.
///
/// Nodes begin with different ones of the others, so that the first by name does not get all of them.
#[must_use]
pub fn backends(
    spec: &KubernetesSpec,
    own: Own<'_>,
    planes: &[(&str, &ControlPlane)],
) -> Vec<Backend> {
    let mut found = Vec::new();
    let mut add = |target: Target, node: &str| {
        if !found.iter().any(|it: &Backend| it.target == target) {
            let node = node.to_owned();
            found.push(Backend { target, node });
        }
    };
    if spec.control_plane {
        add(beside().into(), own.name);
    }
    let mut others: Vec<_> = planes
        .iter()
        .filter(|(name, _)| *name != own.name)
        .collect();
    others.sort_by_key(|(name, _)| *name);
    if !others.is_empty() {
        let turn: usize = own.name.bytes().map(usize::from).sum();
        let turn = turn % others.len();
        others.rotate_left(turn);
    }
    for (name, plane) in others {
        for address in plane.addresses.iter().filter_map(|it| it.parse().ok()) {
            add(SocketAddr::new(address, API_PORT).into(), name);
        }
    }
    if let Some(target) = endpoint(spec, own) {
        add(target, "");
    }
    found
}

/// The cluster's endpoint, unless that is the API server of this node, which is there already.
fn endpoint(spec: &KubernetesSpec, own: Own<'_>) -> Option<Target> {
    let endpoint: KubernetesEndpoint = spec.endpoint.parse().ok()?;
    let target = Target {
        host: endpoint.host().clone(),
        port: endpoint.port(),
    };
    let is_own = match &target.host {
        Host::Address(address) => own.addresses.contains(address),
        Host::Name(_) => false,
    };
    let beside = spec.control_plane && is_own && target.port == API_PORT;
    (!beside).then_some(target)
}

/// Whether an address is that of the balancer itself, which must not talk to itself: a name may lead anywhere.
#[must_use]
pub fn is_ourselves(address: SocketAddr) -> bool {
    address.port() == PORT && address.ip().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(addresses: &[&str]) -> ControlPlane {
        ControlPlane {
            addresses: addresses.iter().map(|&it| it.to_owned()).collect(),
            remembered: false,
        }
    }

    fn of(
        control_plane: bool,
        endpoint: &str,
        own: &str,
        planes: &[(&str, &ControlPlane)],
    ) -> Vec<String> {
        let spec = KubernetesSpec {
            control_plane,
            endpoint: endpoint.to_owned(),
            ..KubernetesSpec::default()
        };
        let own = Own {
            name: own,
            addresses: &["10.5.0.2".parse().unwrap()],
        };
        let found = backends(&spec, own, planes);
        let text = |it: &Backend| format!("{} {}", it.target, it.node);
        found
            .iter()
            .map(|it| text(it).trim_end().to_owned())
            .collect()
    }

    #[test]
    fn the_own_one_is_first_and_the_endpoint_last() {
        let (one, two) = (plane(&["10.5.0.2"]), plane(&["10.5.0.3", "fd00::3"]));
        let nodes = [("cp-1", &one), ("cp-2", &two)];
        let all = [
            "127.0.0.1:6443 cp-1",
            "10.5.0.3:6443 cp-2",
            "[fd00::3]:6443 cp-2",
            "api.example.org:443",
        ];
        assert_eq!(of(true, "https://api.example.org:443", "cp-1", &nodes), all);
        let own = "https://10.5.0.2:6443";
        assert_eq!(of(true, own, "cp-1", &nodes), all[..3]);
        assert_eq!(of(true, "https://10.5.0.3:6443", "cp-1", &nodes), all[..3]);
        // Another port of the same machine is something else: a load balancer, perhaps.
        assert_eq!(of(true, "https://10.5.0.2:443", "cp-1", &nodes).len(), 4);
    }

    #[test]
    fn a_worker_that_knows_nobody_yet_has_the_endpoint() {
        let endpoint = "https://[fd00::9]:6443";
        assert_eq!(of(false, endpoint, "worker-1", &[]), ["[fd00::9]:6443"]);
    }

    #[test]
    fn workers_begin_with_different_ones() {
        let nodes = ["1", "2", "3"].map(|it| plane(&[&format!("10.5.0.{it}")]));
        let nodes = [
            ("cp-1", &nodes[0]),
            ("cp-2", &nodes[1]),
            ("cp-3", &nodes[2]),
        ];
        let first = |own| of(false, "https://k8s:6443", own, &nodes)[0].clone();
        let firsts: std::collections::BTreeSet<_> =
            ["worker-1", "worker-2", "worker-3"].map(first).into();
        assert_eq!(firsts.len(), 3);
    }
}
