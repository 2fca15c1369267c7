//! `StaticHost`: a name that the node knows without asking a server.

use std::collections::BTreeSet;
use std::net::IpAddr;

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::document::{Kind, kind};
use crate::types::{Hostname, HostnameError};

/// A name that the node knows without asking a server: lines of its `/etc/hosts`.
///
/// One document is one name, so that no two can disagree about what it means. Names of pods and services
/// are the cluster's: pods have an `/etc/hosts` of their own.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: StaticHost
/// name: registry.example.org
/// addresses:
///   - 10.0.0.5
///   - fd00::5
/// aliases:
///   - registry
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StaticHostConfig {
    /// The name. Looked up backwards, its addresses lead to it.
    #[serde(deserialize_with = "name")]
    pub name: Hostname,
    /// Where the host is, IPv4 or IPv6; one at least, tried in this order.
    #[serde(deserialize_with = "addresses")]
    #[schema(least = 1)]
    pub addresses: Vec<IpAddr>,
    /// Other names of the host.
    #[serde(
        default,
        deserialize_with = "aliases",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub aliases: Vec<Hostname>,
}

impl StaticHostConfig {
    /// The name and the other names.
    pub fn names(&self) -> impl Iterator<Item = &Hostname> {
        std::iter::once(&self.name).chain(&self.aliases)
    }
}

fn name<'de, D: Deserializer<'de>>(reader: D) -> Result<Hostname, D::Error> {
    Name::deserialize(reader).map(|it| it.0)
}

fn aliases<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Hostname>, D::Error> {
    let names = Vec::<Name>::deserialize(reader)?;
    unique(names.into_iter().map(|it| it.0)).map_err(de::Error::custom)
}

fn addresses<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<IpAddr>, D::Error> {
    let addresses = Vec::<Address>::deserialize(reader)?;
    if addresses.is_empty() {
        return Err(de::Error::custom(
            "a host needs an address; to remove it, remove its document",
        ));
    }
    unique(addresses.into_iter().map(|it| it.0)).map_err(de::Error::custom)
}

/// All items, no two the same.
fn unique<T: Ord + Clone + ToString>(items: impl Iterator<Item = T>) -> Result<Vec<T>, String> {
    let mut seen = BTreeSet::new();
    let mut list = Vec::new();
    for item in items {
        if !seen.insert(item.clone()) {
            return Err(format!("{} is there twice", item.to_string()));
        }
        list.push(item);
    }
    Ok(list)
}

/// A name that a config may give a meaning to.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(Hostname);

/// Why a name is none for a static host.
#[derive(Debug, thiserror::Error)]
enum NameError {
    #[error("{0}")]
    Hostname(HostnameError),
    /// RFC 6761, section 6.3: programs rely on it being this machine.
    #[error("`{0}` is always the node itself")]
    Local(Hostname),
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let name: Hostname = text.parse().map_err(NameError::Hostname)?;
        let local = matches!(
            name.as_str(),
            "localhost" | "ip6-localhost" | "ip6-loopback"
        );
        if local || name.as_str().ends_with(".localhost") {
            return Err(NameError::Local(name));
        }
        Ok(Self(name))
    }
}

/// An address that a host answers at.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Address(IpAddr);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse::<IpAddr>() {
            Ok(it) if it.is_unspecified() || it.is_multicast() => {
                Err(format!("no host answers at {it}"))
            }
            Ok(it) => Ok(Self(it)),
            Err(_) => Err(format!("`{text}` is not an IPv4 or IPv6 address")),
        }
    }
}

impl Kind for StaticHostConfig {
    kind!(StaticHost, name);
}
