//! A route the kernel has.
//!
//! Written by networkd in `network`. The kernel's own table `local` is left out: it only mirrors the addresses.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use store::Spec;

use super::{Cidr, LinkName};

/// One observed route.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "RouteStatuses.net.garboard",
    namespace = "network",
    aliases("route", "routes"),
    columns(
        ("GATEWAY", "gateway"),
        ("PROTOCOL", "protocol"),
    )
)]
pub struct RouteStatus {
    /// Where the route leads.
    #[field(1)]
    pub destination: Cidr,
    /// The next hop.
    #[field(2)]
    pub gateway: Option<IpAddr>,
    /// The link it leaves by.
    #[field(3)]
    pub link: LinkName,
    /// The kernel's number of that link.
    #[field(4)]
    pub link_index: u32,
    /// The lower one wins.
    #[field(5)]
    pub metric: u32,
    /// The preferred source address.
    #[field(6)]
    pub source: Option<IpAddr>,
    /// The routing table.
    #[field(7)]
    pub table: u32,
    /// Who made it: `kernel`, `boot`, `static`, `garboard`, or a number.
    #[field(8)]
    pub protocol: String,
    /// The largest packet, where the route limits it.
    #[field(9)]
    pub mtu: Option<u32>,
}
