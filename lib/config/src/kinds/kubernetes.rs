//! `Kubernetes`: the cluster of Kubernetes that the node is of.

use std::net::IpAddr;

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::document::{Kind, kind};
use crate::types::{Hostname, KubernetesEndpoint, KubernetesVersion, Network};

/// The part of a pod range that each node gets, as Kubernetes' own defaults have it.
const NODE_PREFIX_V4: u8 = 24;
/// The same of IPv6.
const NODE_PREFIX_V6: u8 = 64;
/// How many bits wider than a node's part a pod range may be (`maxCIDRMaskSize` of the controller manager).
const NODE_BITS: u8 = 16;
/// What the API server takes at most.
const SERVICE_BITS: u8 = 20;
/// The smallest service range with an address for DNS, which is the tenth after the first.
const FEWEST_SERVICE_BITS: u8 = 4;
/// Which address of a service range is the name server's: what Kubernetes' own tools take.
const DNS: u32 = 10;

/// Networks whose addresses mean something else to every machine.
const SPECIAL: [(&str, &str); 7] = [
    ("0.0.0.0/8", "addresses of no host"),
    ("127.0.0.0/8", "the loopback"),
    ("169.254.0.0/16", "link-local"),
    ("224.0.0.0/3", "multicast and reserved"),
    ("::/96", "the loopback and addresses of no host"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
];

/// The cluster of Kubernetes that the node is of. Every node of the cluster has this document, with the same content; without it nothing
/// of Kubernetes runs.
///
/// It needs a `KubernetesTrust` beside it, and `osctl gen config` makes both. The ranges, the domain and the endpoint are what a
/// cluster begins with: pods, services and certificates have them, so that changing them later is work on the whole cluster.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Kubernetes
/// version: 1.37.1
/// endpoint: https://10.5.0.2:6443
/// podRanges:
///   - 10.244.0.0/16
/// serviceRanges:
///   - 10.96.0.0/12
/// dnsDomain: cluster.local
/// images: bundle
/// network: builtin
/// ```
///
/// With two ranges each, pods and services have an address of both families:
/// `podRanges: [10.244.0.0/16, fd00:db8:10::/56]` and `serviceRanges: [10.96.0.0/12, fd00:db8:20::/112]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesConfig {
    /// What is run, of a minor that this build of the node knows: 1.36 or 1.37. `osctl upgrade-k8s` changes it on all
    /// nodes of a cluster, in the order that Kubernetes asks for.
    pub version: KubernetesVersion,
    /// Where the API is reached from everywhere: a control plane, or what is before several of them. A name or an address, and a
    /// port.
    pub endpoint: KubernetesEndpoint,
    /// Where pods get their addresses, one range per family at most. Each node gets a /24 of an IPv4 range and a /64 of an IPv6
    /// range.
    #[serde(default = "pod_ranges", deserialize_with = "read_pod_ranges")]
    #[schema(least = 1, most = 2)]
    pub pod_ranges: Vec<Network>,
    /// Where services get theirs, one range per family at most; the first family is the one of services that ask for none. At most
    /// 20 bits are the services', so an IPv4 range is a /12 or smaller.
    #[serde(default = "service_ranges", deserialize_with = "read_service_ranges")]
    #[schema(least = 1, most = 2)]
    pub service_ranges: Vec<Network>,
    /// The domain of services and pods.
    #[serde(default = "dns_domain")]
    pub dns_domain: Hostname,
    /// Where the images of Kubernetes itself come from.
    #[serde(default = "bundle")]
    pub images: ImageSource,
    /// Who makes the network of pods.
    #[serde(default = "builtin")]
    pub network: PodNetwork,
}

/// Where the images of Kubernetes itself come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSource {
    /// The bundle that travels with the node, `garboard.internal/NAME:VERSION`: nobody is asked.
    Bundle,
    /// The registry of the Kubernetes project, `registry.k8s.io`.
    Upstream,
}

/// Who makes the network of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum PodNetwork {
    /// The node: every node's part of the pod range is a route.
    Builtin,
    /// Whom you bring: nodes become ready when it is there.
    None,
}

impl KubernetesConfig {
    /// A cluster with this endpoint and otherwise what it is when nobody says more.
    #[must_use]
    pub fn new(version: KubernetesVersion, endpoint: KubernetesEndpoint) -> Self {
        Self {
            version,
            endpoint,
            pod_ranges: pod_ranges(),
            service_ranges: service_ranges(),
            dns_domain: dns_domain(),
            images: bundle(),
            network: builtin(),
        }
    }

    /// The addresses of the API within the cluster: the first of each service range.
    #[must_use]
    pub fn api_addresses(&self) -> Vec<IpAddr> {
        self.of_services(1)
    }

    /// The addresses of the name server within the cluster, by custom the tenth of each service range.
    #[must_use]
    pub fn dns_addresses(&self) -> Vec<IpAddr> {
        self.of_services(DNS)
    }

    fn of_services(&self, index: u32) -> Vec<IpAddr> {
        let ranges = self.service_ranges.iter();
        ranges.filter_map(|it| it.nth(index)).collect()
    }
}

fn pod_ranges() -> Vec<Network> {
    vec!["10.244.0.0/16".parse().expect("a network")]
}

fn service_ranges() -> Vec<Network> {
    vec!["10.96.0.0/12".parse().expect("a network")]
}

fn dns_domain() -> Hostname {
    "cluster.local".parse().expect("a domain")
}

fn bundle() -> ImageSource {
    ImageSource::Bundle
}

fn builtin() -> PodNetwork {
    PodNetwork::Builtin
}

fn read_pod_ranges<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Network>, D::Error> {
    ranges(
        Vec::<PodRange>::deserialize(reader)?
            .into_iter()
            .map(|it| it.0),
    )
}

fn read_service_ranges<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Network>, D::Error> {
    ranges(
        Vec::<ServiceRange>::deserialize(reader)?
            .into_iter()
            .map(|it| it.0),
    )
}

/// One range or two, of different families.
fn ranges<E: de::Error>(found: impl Iterator<Item = Network>) -> Result<Vec<Network>, E> {
    let found: Vec<Network> = found.collect();
    match found.as_slice() {
        [_] => Ok(found),
        [one, two] if one.address().is_ipv4() != two.address().is_ipv4() => Ok(found),
        [] => Err(E::custom(
            "one range at least is needed; left out, it is the default",
        )),
        _ => Err(E::custom(
            "there is at most one range of IPv4 and one of IPv6",
        )),
    }
}

/// A network that pods can be in.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct PodRange(Network);

/// A network that services can be in.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ServiceRange(Network);

impl TryFrom<String> for PodRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let range = usable(&text)?;
        let node = match range.address() {
            IpAddr::V4(_) => NODE_PREFIX_V4,
            IpAddr::V6(_) => NODE_PREFIX_V6,
        };
        let widest = node - NODE_BITS;
        match (widest..=node).contains(&range.prefix()) {
            true => Ok(Self(range)),
            false => Err(format!(
                "a pod range of this family is a /{widest} to a /{node}, of which each node gets a /{node}; {range} is not"
            )),
        }
    }
}

impl TryFrom<String> for ServiceRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let range = usable(&text)?;
        let bits = FEWEST_SERVICE_BITS..=SERVICE_BITS;
        if bits.contains(&range.host_bits()) {
            return Ok(Self(range));
        }
        let whole = range.prefix() + range.host_bits();
        let (widest, smallest) = (whole - SERVICE_BITS, whole - FEWEST_SERVICE_BITS);
        Err(format!(
            "a service range of this family is a /{widest} to a /{smallest}, which {range} is not"
        ))
    }
}

/// A network none of whose addresses means something else.
fn usable(text: &str) -> Result<Network, String> {
    let range: Network = text
        .parse()
        .map_err(|it: crate::NetworkError| it.to_string())?;
    let special = SPECIAL.iter().find(|(network, _)| {
        let network: Result<Network, _> = network.parse();
        network.is_ok_and(|it| it.overlaps(&range))
    });
    match special {
        Some((network, what)) => Err(format!("{range} has addresses of {network}, {what}")),
        None => Ok(range),
    }
}

impl Kind for KubernetesConfig {
    kind!(Kubernetes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_addresses_of_its_own_in_each_service_range() {
        let endpoint = KubernetesEndpoint::from_host("10.5.0.2").unwrap();
        let mut cluster = KubernetesConfig::new(KubernetesVersion::NEWEST, endpoint);
        cluster
            .service_ranges
            .push("fd00:20::/112".parse().unwrap());
        let texts = |it: Vec<IpAddr>| it.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(cluster.api_addresses()), ["10.96.0.1", "fd00:20::1"]);
        assert_eq!(texts(cluster.dns_addresses()), ["10.96.0.10", "fd00:20::a"]);
    }

    #[test]
    fn special_networks_are_networks() {
        for (network, _) in SPECIAL {
            network.parse::<Network>().expect(network);
        }
    }

    #[test]
    fn ranges_are_of_a_size_that_kubernetes_takes() {
        let pods = |text: &str| PodRange::try_from(text.to_owned()).is_ok();
        for (text, fits) in [
            ("10.0.0.0/8", true),
            ("8.0.0.0/7", false),
            ("10.0.0.0/24", true),
            ("10.0.0.0/25", false),
            ("fd00::/48", true),
            ("fd00::/47", false),
            ("fd00::/64", true),
            ("fd00::/65", false),
            ("fe80::/64", false),
        ] {
            assert_eq!(pods(text), fits, "{text}");
        }
        let services = |text: &str| ServiceRange::try_from(text.to_owned()).is_ok();
        for (text, fits) in [
            ("10.96.0.0/12", true),
            ("10.0.0.0/11", false),
            ("10.96.0.0/28", true),
            ("10.96.0.0/29", false),
            ("fd00::/108", true),
            ("fd00::/107", false),
            ("fd00::/124", true),
            ("fd00::/125", false),
            ("169.254.0.0/16", false),
        ] {
            assert_eq!(services(text), fits, "{text}");
        }
    }
}
