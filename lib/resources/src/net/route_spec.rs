//! A route the node should have.
//!
//! Layered in `network-config` (any id), merged in `network` (id: as `RouteSpec::merged_id` makes it).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use store::Spec;

use super::{Cidr, ConfigLayer, LinkName};

/// The main routing table of the kernel, `RT_TABLE_MAIN`.
pub const MAIN_TABLE: u32 = 254;

/// One wanted route.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "RouteSpecs.net.garboard",
    namespace = "network",
    columns(
        ("GATEWAY", "gateway"),
        ("LAYER", "layer"),
    )
)]
pub struct RouteSpec {
    /// Where the route leads; `0.0.0.0/0` or `::/0` for a default route.
    #[field(1)]
    pub destination: Cidr,
    /// The next hop; absent for what is on the link itself.
    #[field(2)]
    pub gateway: Option<IpAddr>,
    /// The link to send on.
    #[field(3)]
    pub link: LinkName,
    /// The lower one wins between routes to the same destination.
    #[field(4)]
    pub metric: u32,
    /// The source address to prefer.
    #[field(5)]
    pub source: Option<IpAddr>,
    /// The routing table; 0 means the main one.
    #[field(6)]
    pub table: u32,
    /// The largest packet on this route, if smaller than the link's.
    #[field(7)]
    pub mtu: Option<u32>,
    /// Where this wish comes from.
    #[field(8)]
    pub layer: ConfigLayer,
}

impl RouteSpec {
    /// The table's number in the kernel.
    #[must_use]
    pub fn kernel_table(&self) -> u32 {
        if self.table == 0 {
            MAIN_TABLE
        } else {
            self.table
        }
    }

    /// The id of this spec once merged; two specs with the same id are one route to the kernel.
    #[must_use]
    pub fn merged_id(&self) -> String {
        route_id(
            self.kernel_table(),
            self.destination,
            &self.link,
            self.metric,
        )
    }
}

/// The id of a merged route and of its status.
#[must_use]
pub fn route_id(table: u32, destination: Cidr, link: &LinkName, metric: u32) -> String {
    if table == MAIN_TABLE {
        format!("{link}/{destination}/{metric}")
    } else {
        format!("{link}/{destination}/{metric}/table-{table}")
    }
}
