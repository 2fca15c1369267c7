//! Leads to the pods of every other node: a route to each of its ranges, by the node itself.
//!
//! A node that is on no network of ours is told, and gets no route: whoever is asked to be its gateway has to be one hop away.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::{KUBERNETES, KubernetesSpec, NodeStatus, PodNetwork};
use resources::net::{
    AddressStatus, Cidr, ConfigLayer, DEFAULT_METRIC, HOSTNAME, HostnameSpec, LAYERED, LinkName,
    RouteSpec,
};
use resources::runtime::Condition;

/// The condition that the pods of every other node can be reached.
pub const CONDITION: &str = "pod-routes";

/// So many nodes are named that cannot be reached; more would fill the console.
const NAMED: usize = 3;

/// The controller.
#[derive(Debug, Default)]
pub struct Routes;

cosi::declare! {
    Routes as "kubernetes.node.routes" {
        reads KubernetesSpec;
        reads NodeStatus;
        reads HostnameSpec;
        reads AddressStatus;
        shares RouteSpec: LAYERED;
        shares Condition;
    }
}

/// A network that the node is on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Near {
    /// The node's own address there.
    own: IpAddr,
    network: Cidr,
    link: LinkName,
}

/// The routes by their ids, and who cannot be reached.
#[derive(Debug, Default, PartialEq)]
struct Plan {
    routes: BTreeMap<String, RouteSpec>,
    unreached: Vec<String>,
}

impl Controller for Routes {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let Some(cluster) = cluster.filter(|it| it.spec.network == PodNetwork::Builtin) else {
            cx.replace::<RouteSpec>();
            cx.remove::<Condition>(CONDITION);
            return Ok(Outcome::Done);
        };
        // Not knowing one's own name for a moment is no reason to lose the others' pods.
        let Some(own) = cx.get::<HostnameSpec>(HOSTNAME) else {
            return Ok(Outcome::WaitingOn("the node's name".to_owned()));
        };
        let addresses = cx.list::<AddressStatus>();
        let near = near(&cluster.spec, addresses.iter().map(|it| &*it.spec));
        let nodes = cx.list::<NodeStatus>();
        let others = nodes.iter().filter(|it| it.id() != own.spec.hostname);
        let plan = plan(&near, others.map(|it| (it.id(), &*it.spec)));
        cx.replace::<RouteSpec>();
        cx.put(CONDITION, condition(&plan.unreached));
        for (id, route) in plan.routes {
            cx.put(id, route);
        }
        Ok(Outcome::Done)
    }
}

/// The networks of the node's links, those of its pods left out: the longest prefix first, as the kernel would choose.
fn near<'a>(
    cluster: &KubernetesSpec,
    addresses: impl IntoIterator<Item = &'a AddressStatus>,
) -> Vec<Near> {
    let usable = addresses.into_iter().filter(|it| {
        let address = it.address.address();
        let mut pods = cluster.pod_ranges.iter();
        !it.tentative
            && matches!(it.scope.as_str(), "global" | "site")
            && !address.is_loopback()
            && !pods.any(|range| range.contains(address))
    });
    let mut near: Vec<Near> = usable
        .map(|it| Near {
            own: it.address.address(),
            network: it.address.network(),
            link: it.link.clone(),
        })
        .collect();
    near.sort_by(|left, right| {
        let key = |it: &Near| (u8::MAX - it.network.length(), it.network, it.link.clone());
        key(left).cmp(&key(right))
    });
    near
}

fn plan<'a>(near: &[Near], others: impl IntoIterator<Item = (&'a str, &'a NodeStatus)>) -> Plan {
    let mut plan = Plan::default();
    for (name, node) in others {
        for range in &node.pod_ranges {
            match route(near, node, *range) {
                Ok(route) => {
                    let id = format!("kubernetes/{name}/{}", route.merged_id());
                    plan.routes.insert(id, route);
                }
                Err(reason) => plan.unreached.push(format!("{name}: {reason}")),
            }
        }
    }
    plan
}

fn route(near: &[Near], node: &NodeStatus, range: Cidr) -> Result<RouteSpec, String> {
    let addresses = node.addresses.iter().filter_map(|it| it.parse().ok());
    let family = range.address().is_ipv6();
    let addresses: Vec<IpAddr> = addresses
        .filter(|it: &IpAddr| it.is_ipv6() == family)
        .collect();
    let Some(first) = addresses.first() else {
        return Err(format!(
            "it has pods in {range}, and no address of that family"
        ));
    };
    let way = addresses.iter().find_map(|address| {
        // One that says it has our address would have the kernel send its packets to ourselves.
        let near = near
            .iter()
            .find(|it| it.network.contains(*address) && it.own != *address)?;
        Some((*address, near.link.clone()))
    });
    let (gateway, link) = way.ok_or_else(|| {
        format!("its address {first} is on no network of this node, so its pods in {range} cannot be reached; nodes have to share a network")
    })?;
    Ok(RouteSpec {
        destination: range.network(),
        gateway: Some(gateway),
        link,
        metric: DEFAULT_METRIC,
        // What somebody else tells us; a route of the config wins.
        layer: ConfigLayer::Operator,
        ..RouteSpec::default()
    })
}

fn condition(unreached: &[String]) -> Condition {
    let mut message = unreached.iter().take(NAMED).cloned().collect::<Vec<_>>();
    let more = unreached.len().saturating_sub(NAMED);
    if more > 0 {
        message.push(format!("and {more} more"));
    }
    Condition {
        met: unreached.is_empty(),
        message: if unreached.is_empty() {
            "the pods of all other nodes can be reached".to_owned()
        } else {
            message.join("; ")
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> KubernetesSpec {
        KubernetesSpec {
            pod_ranges: ["10.244.0.0/16", "fd00:1::/56"]
                .map(|it| it.parse().unwrap())
                .into(),
            ..KubernetesSpec::default()
        }
    }

    fn address(link: &str, address: &str) -> AddressStatus {
        AddressStatus {
            address: address.parse().unwrap(),
            link: link.parse().unwrap(),
            scope: "global".to_owned(),
            ..AddressStatus::default()
        }
    }

    fn node(addresses: &[&str], ranges: &[&str]) -> NodeStatus {
        NodeStatus {
            addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
            pod_ranges: ranges.iter().map(|it| it.parse().unwrap()).collect(),
            ..NodeStatus::default()
        }
    }

    /// Destination, gateway and link of every route.
    fn ways(plan: &Plan) -> Vec<String> {
        let routes = plan.routes.values();
        let way = |it: &RouteSpec| {
            let gateway = it.gateway.unwrap();
            format!("{} by {gateway} on {}", it.destination, it.link)
        };
        routes.map(way).collect()
    }

    #[test]
    fn every_range_of_others_is_led_to_by_an_address_of_its_family() {
        let addresses = [
            address("cni0", "10.244.0.1/24"),
            address("eth0", "10.5.0.2/16"),
            address("eth1", "10.5.1.2/24"),
            address("eth0", "fd01::2/64"),
        ];
        let near = near(&cluster(), &addresses);
        let others = [
            (
                "b",
                node(
                    &["fd01::3", "10.5.9.3"],
                    &["10.244.1.0/24", "fd00:1:0:1::/64"],
                ),
            ),
            ("c", node(&["10.5.1.4"], &["10.244.2.0/24"])),
            ("new", node(&["10.5.9.5"], &[])),
            // It lies about the first one.
            ("d", node(&["10.5.0.2", "10.5.9.6"], &["10.244.3.0/24"])),
        ];
        let plan = plan(&near, others.iter().map(|(name, node)| (*name, node)));
        assert_eq!(
            ways(&plan),
            [
                "10.244.1.0/24 by 10.5.9.3 on eth0",
                "fd00:1:0:1::/64 by fd01::3 on eth0",
                "10.244.2.0/24 by 10.5.1.4 on eth1",
                "10.244.3.0/24 by 10.5.9.6 on eth0",
            ]
        );
        assert!(condition(&plan.unreached).met);
    }

    #[test]
    fn a_node_that_is_elsewhere_is_told_and_gets_no_route() {
        let near = near(&cluster(), &[address("eth0", "10.5.0.2/24")]);
        let far = node(&["10.6.0.3"], &["10.244.1.0/24"]);
        let other_family = node(&["10.5.0.4"], &["fd00:1:0:2::/64"]);
        let others = [("far", &far), ("six", &other_family)];
        let plan = plan(&near, others);
        assert!(plan.routes.is_empty());
        let told = condition(&plan.unreached);
        assert!(
            !told.met && told.message.contains("far: its address 10.6.0.3"),
            "{told:?}"
        );
        assert!(
            told.message.contains("six: it has pods in fd00:1:0:2::/64"),
            "{told:?}"
        );
        let many: Vec<_> = (0..9).map(|it| format!("{it}")).collect();
        assert_eq!(condition(&many).message, "0; 1; 2; and 6 more");
    }

    #[test]
    fn links_and_addresses_that_do_not_count_lead_nowhere() {
        let addresses = [
            address("cni0", "10.244.0.1/16"),
            AddressStatus {
                tentative: true,
                ..address("eth0", "fd01::2/64")
            },
            AddressStatus {
                scope: "host".to_owned(),
                ..address("eth0", "10.5.0.2/24")
            },
            address("lo", "127.0.0.1/8"),
        ];
        assert!(near(&cluster(), &addresses).is_empty());
    }
}
