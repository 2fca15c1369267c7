//! The network of pods, as the runtime's plugins are told of it. Pure.
//!
//! Every pod is on a bridge of its node; what leaves the node is routed. The plugins are those of the root.

use std::net::IpAddr;

use resources::net::Cidr;
use serde_json::{Value, json};

/// The bridge of the node.
pub const BRIDGE: &str = "cni0";

/// The file of the network. Those of a network that somebody brings along sort before it, or stand alone.
pub const FILE: &str = "/run/cni/net.d/50-garboard.conflist";

/// Where the plugins write down who has which address: in memory, since no pod outlives the boot.
const ADDRESSES: &str = "/run/cni/addresses";

/// The network whose pods have addresses of these ranges: those that Kubernetes gave the node, one per family.
#[must_use]
pub fn config(ranges: &[Cidr]) -> Value {
    let each = ranges
        .iter()
        .map(|range| json!([{"subnet": range.to_string()}]));
    let everywhere = ranges.iter().map(|range| match range.address() {
        IpAddr::V4(_) => json!({"dst": "0.0.0.0/0"}),
        IpAddr::V6(_) => json!({"dst": "::/0"}),
    });
    json!({
        "cniVersion": "1.0.0",
        "name": "garboard",
        "plugins": [{
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": true,
            // A pod may reach itself by its service.
            "hairpinMode": true,
            // The bridge of a range that the node had before gets the address of the one it has now.
            "forceAddress": true,
            // networkd does it, once for all pods.
            "ipMasq": false,
            "ipam": {
                "type": "host-local",
                "dataDir": ADDRESSES,
                "ranges": each.collect::<Vec<_>>(),
                "routes": everywhere.collect::<Vec<_>>(),
            },
        }, {
            // Ports of the node that pods ask for.
            "type": "portmap",
            "backend": "nftables",
            "capabilities": {"portMappings": true},
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_have_an_address_of_each_family() {
        let ranges = ["10.244.3.0/24", "fd00:1:0:3::/64"].map(|it| it.parse().unwrap());
        let config = config(&ranges);
        let ipam = &config["plugins"][0]["ipam"];
        assert_eq!(ipam["ranges"][0][0]["subnet"], "10.244.3.0/24");
        assert_eq!(ipam["ranges"][1][0]["subnet"], "fd00:1:0:3::/64");
        assert_eq!(
            ipam["routes"],
            json!([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])
        );
    }

    #[test]
    fn ports_of_the_node_lead_to_pods_by_a_program_that_is_there() {
        let config = config(&[]);
        let plugins = config["plugins"].as_array().unwrap();
        let ports = plugins.iter().find(|it| it["type"] == "portmap").unwrap();
        assert_eq!(ports["backend"], "nftables");
        assert_eq!(ports["capabilities"]["portMappings"], true);
    }
}
