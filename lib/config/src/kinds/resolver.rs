//! `Resolver`: the DNS servers of the node.

use std::net::IpAddr;

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::address;

/// The most servers: what the C library reads from resolv.conf (`MAXNS`).
const MAX_SERVERS: usize = 3;

/// The DNS servers of the node, the first asked first. They replace those from DHCP.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Resolver
/// servers:
///   - 9.9.9.9
///   - 2620:fe::fe
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolverConfig {
    /// One to three servers.
    #[serde(deserialize_with = "servers")]
    #[schema(least = 1, most = MAX_SERVERS)]
    pub servers: Vec<IpAddr>,
}

fn servers<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<IpAddr>, D::Error> {
    let texts = Vec::<Server>::deserialize(reader)?;
    let servers: Vec<IpAddr> = texts.into_iter().map(|it| it.0).collect();
    if servers.is_empty() || servers.len() > MAX_SERVERS {
        let count = servers.len();
        return Err(serde::de::Error::custom(format!(
            "expected one to {MAX_SERVERS} servers, found {count}"
        )));
    }
    Ok(servers)
}

/// An address a server can be asked at.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Server(IpAddr);

impl TryFrom<String> for Server {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        address::of_a_host(&text, "a DNS server").map(Self)
    }
}

impl Kind for ResolverConfig {
    kind!(Resolver);
}
