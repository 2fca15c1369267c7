//! The addresses that Kubernetes and etcd know the node by, of all that it has. Pure.

use std::net::IpAddr;

use resources::kubernetes::KubernetesSpec;
use resources::net::NodeAddress;

/// Those of the node that are not in the ranges of pods and services: the bridge that pods are on is not the node.
pub fn own(cluster: &KubernetesSpec, node: &NodeAddress) -> impl Iterator<Item = IpAddr> {
    let inside = |address: &IpAddr| {
        let mut ranges = cluster.pod_ranges.iter().chain(&cluster.service_ranges);
        ranges.any(|range| range.contains(*address))
    };
    let all = node.addresses.iter().map(|it| it.address());
    all.filter(move |address| !inside(address))
}

/// One address per family of the cluster's services, in their order: the first that the node has of it.
#[must_use]
pub fn of(cluster: &KubernetesSpec, node: &NodeAddress) -> Vec<IpAddr> {
    let first = |v6: bool| own(cluster, node).find(|it| it.is_ipv6() == v6);
    let families = cluster.service_ranges.iter();
    families
        .filter_map(|range| first(range.address().is_ipv6()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_services(ranges: &[&str], addresses: &[&str]) -> Vec<String> {
        let cluster = KubernetesSpec {
            pod_ranges: vec!["10.244.0.0/16".parse().unwrap()],
            service_ranges: ranges.iter().map(|it| it.parse().unwrap()).collect(),
            ..KubernetesSpec::default()
        };
        let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let found = of(&cluster, &NodeAddress { addresses });
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_of_each_family_that_is_not_the_pods() {
        let node = [
            "10.244.0.1/24",
            "10.5.0.2/24",
            "192.0.2.1/24",
            "2001:db8::2/64",
        ];
        assert_eq!(of_services(&["10.96.0.0/12"], &node), ["10.5.0.2"]);
        let both = ["fd00::/112", "10.96.0.0/12"];
        assert_eq!(of_services(&both, &node), ["2001:db8::2", "10.5.0.2"]);
        assert!(of_services(&["fd00::/112"], &node[..2]).is_empty());
    }
}
