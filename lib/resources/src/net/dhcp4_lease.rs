//! How far DHCPv4 got on a link, and what it got.
//!
//! Written by networkd in `network`, id: the link's name. It is also the client's memory: after a restart of networkd the lease
//! is read back from here, so the times are seconds on the machine's clock since boot, which no one can step.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum, SpecMessage};

use super::Cidr;

/// The client's state (RFC 2131, figure 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Dhcp4Phase {
    /// About to ask; the link may lack a carrier.
    #[default]
    Init = 0,
    /// Asked everyone; left by an offer.
    Selecting = 1,
    /// Took an offer; left by the server's answer.
    Requesting = 2,
    /// Holds a lease; left when half of it is over.
    Bound = 3,
    /// Asks its server for more time.
    Renewing = 4,
    /// Asks any server for more time.
    Rebinding = 5,
    /// Asks whether a remembered lease still holds.
    InitReboot = 6,
}

/// A route a server told (option 121).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, SpecMessage)]
#[serde(rename_all = "camelCase", default)]
pub struct Dhcp4Route {
    /// Where it leads.
    #[field(1)]
    pub destination: Cidr,
    /// The next hop; absent for what is on the link itself.
    #[field(2)]
    pub gateway: Option<IpAddr>,
}

/// The state of one link's DHCPv4 client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "Dhcp4Leases.net.garboard",
    namespace = "network",
    aliases("lease", "leases"),
    columns(
        ("PHASE", "phase"),
        ("ADDRESS", "address"),
        ("SERVER", "server"),
        ("ERROR", "error"),
    )
)]
pub struct Dhcp4Lease {
    /// Where the client stands.
    #[field(1)]
    pub phase: Dhcp4Phase,
    /// Requests without an answer since the last one; 0 when bound.
    #[field(2)]
    pub attempts: u32,
    /// What went wrong last, in words; empty when nothing did.
    #[field(3)]
    pub error: String,
    /// The address, while a lease is held.
    #[field(4)]
    pub address: Option<Cidr>,
    /// The server that gave it.
    #[field(5)]
    pub server: Option<Ipv4Addr>,
    /// Next hops of the default route, best first.
    #[field(6)]
    pub routers: Vec<Ipv4Addr>,
    /// Classless static routes; when there are any, `routers` does not count (RFC 3442).
    #[field(7)]
    pub routes: Vec<Dhcp4Route>,
    /// Name servers.
    #[field(8)]
    pub resolvers: Vec<Ipv4Addr>,
    /// The domain.
    #[field(9)]
    pub domain: String,
    /// The name the server has for this node.
    #[field(10)]
    pub hostname: String,
    /// Time servers.
    #[field(11)]
    pub time_servers: Vec<Ipv4Addr>,
    /// The link's MTU.
    #[field(12)]
    pub mtu: Option<u32>,
    /// How long the lease is in seconds; `u32::MAX` is for ever.
    #[field(13)]
    pub lease_seconds: u32,
    /// When the lease was given, in seconds since boot.
    #[field(14)]
    pub acquired_at: u64,
    /// When to ask the server for more time, in seconds since boot.
    #[field(15)]
    pub renew_at: u64,
    /// When to ask any server, in seconds since boot.
    #[field(16)]
    pub rebind_at: u64,
    /// When the address must go, in seconds since boot; absent for never.
    #[field(17)]
    pub expires_at: Option<u64>,
}
