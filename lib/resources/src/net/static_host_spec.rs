//! A name that is known without asking a server.
//!
//! Layered in `network-config` (any id), merged in `network` (id: the name).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use store::Spec;

use super::ConfigLayer;

/// What one source says of a name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "StaticHostSpecs.net.garboard",
    namespace = "network",
    aliases("host", "hosts"),
    columns(
        ("ADDRESSES", "addresses"),
        ("ALIASES", "aliases"),
    )
)]
pub struct StaticHostSpec {
    /// The name.
    #[field(1)]
    pub name: String,
    /// Where the host is, the first tried first.
    #[field(2)]
    pub addresses: Vec<IpAddr>,
    /// Its other names.
    #[field(3)]
    pub aliases: Vec<String>,
    /// Where this wish comes from.
    #[field(4)]
    pub layer: ConfigLayer,
}
