//! `Link`: a network interface with its fixed addresses and routes.

use std::net::IpAddr;

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::yes;
use crate::document::{Kind, kind};
use crate::types::{Cidr, LinkName, Mtu, Network, NetworkError, address};

/// The metric of a route that names none: stronger than DHCP's, and with room on both sides. The
/// kernel's own differs between IPv4 and IPv6.
pub const DEFAULT_ROUTE_METRIC: u32 = 100;

/// A network interface that is there, with its fixed addresses and routes. A `Link` with addresses
/// switches DHCP off on that link unless a `Dhcp4` document switches it on.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Link
/// name: eth0
/// up: true
/// mtu: 1500
/// addresses:
///   - 10.0.0.2/24
/// routes:
///   - to: 0.0.0.0/0
///     via: 10.0.0.1
///     metric: 512
/// ```
///
/// A route may also go `to: default`: everywhere, in the family of its gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkConfig {
    /// The link's name.
    pub name: LinkName,
    /// Whether the link is switched on.
    #[serde(default = "yes")]
    pub up: bool,
    /// The largest packet in bytes; the driver's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Mtu>,
    /// Fixed addresses with the length of their network's prefix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Cidr>,
    /// Routes over this link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(merge_key = "to")]
    pub routes: Vec<RouteConfig>,
}

/// A route over a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(try_from = "RouteFields", rename_all = "camelCase")]
pub struct RouteConfig {
    to: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<IpAddr>,
    metric: u32,
}

/// A route as it is written, before its parts are held against each other.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RouteFields {
    /// Where the route leads.
    to: Destination,
    /// The gateway; without one the destination is on the link.
    #[serde(default)]
    via: Option<Gateway>,
    /// The metric; lower is preferred.
    #[serde(default = "default_metric")]
    metric: u32,
}

/// A network like `10.0.0.0/24`, or `default`: everywhere, in the family of the gateway.
#[derive(Deserialize, Schema)]
#[serde(try_from = "String")]
#[schema(text)]
enum Destination {
    /// `default`: everywhere, in the family of the gateway.
    Everywhere,
    /// A network.
    Network(Network),
}

impl TryFrom<String> for Destination {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        if text == "default" {
            return Ok(Self::Everywhere);
        }
        text.parse().map(Self::Network)
    }
}

fn default_metric() -> u32 {
    DEFAULT_ROUTE_METRIC
}

/// An IPv4 or IPv6 address of a host.
#[derive(Deserialize, Schema)]
#[serde(try_from = "String")]
#[schema(text)]
struct Gateway(IpAddr);

impl TryFrom<String> for Gateway {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        address::of_a_host(&text, "a gateway").map(Self)
    }
}

/// Why parts make no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The gateway is of the other address family.
    #[error("a route to {to} cannot go via {via}: one is IPv4, the other IPv6")]
    Family {
        /// Where it should lead.
        to: Network,
        /// Its gateway.
        via: IpAddr,
    },
    /// `default` alone does not say which family.
    #[error("a route to `default` needs `via`; without a gateway write 0.0.0.0/0 or ::/0")]
    NoFamily,
}

impl RouteConfig {
    /// A route to a network through a gateway, or straight over the link.
    ///
    /// # Errors
    /// When the gateway is of the other address family.
    pub fn new(to: Network, via: Option<IpAddr>, metric: u32) -> Result<Self, RouteError> {
        match via {
            Some(via) if via.is_ipv4() != to.address().is_ipv4() => {
                Err(RouteError::Family { to, via })
            }
            _ => Ok(Self { to, via, metric }),
        }
    }

    /// Where the route leads.
    #[must_use]
    pub fn to(&self) -> Network {
        self.to
    }

    /// The gateway; without one the destination is on the link.
    #[must_use]
    pub fn via(&self) -> Option<IpAddr> {
        self.via
    }

    /// The metric; lower is preferred.
    #[must_use]
    pub fn metric(&self) -> u32 {
        self.metric
    }
}

impl TryFrom<RouteFields> for RouteConfig {
    type Error = RouteError;

    fn try_from(fields: RouteFields) -> Result<Self, RouteError> {
        let via = fields.via.map(|it| it.0);
        let to = match (fields.to, via) {
            (Destination::Network(to), _) => to,
            (Destination::Everywhere, Some(IpAddr::V4(_))) => Network::ALL_V4,
            (Destination::Everywhere, Some(IpAddr::V6(_))) => Network::ALL_V6,
            (Destination::Everywhere, None) => return Err(RouteError::NoFamily),
        };
        Self::new(to, via, fields.metric)
    }
}

impl Kind for LinkConfig {
    kind!(Link, name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_leads_everywhere_in_the_family_of_its_gateway() {
        for (via, to) in [("10.0.0.1", Network::ALL_V4), ("fe80::1", Network::ALL_V6)] {
            let text = format!(
                "apiVersion: garboard/v1alpha1\nkind: Link\nname: eth0\nroutes: [{{to: default, via: \"{via}\"}}]\n"
            );
            let documents = crate::parse("test", text.as_bytes()).expect("valid");
            let link = documents.links().next().expect("a link");
            assert_eq!(link.routes.first().map(RouteConfig::to), Some(to));
        }
    }
}
