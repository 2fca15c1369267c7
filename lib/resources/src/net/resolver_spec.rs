//! Name servers.
//!
//! Layered in `network-config` (any id), merged in `network` (id `resolvers`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use store::Spec;

use super::ConfigLayer;

/// The id of the merged spec.
pub const RESOLVERS: &str = "resolvers";

/// The name servers one source wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "ResolverSpecs.net.garboard",
    namespace = "network",
    aliases("resolver", "resolvers"),
    columns(
        ("SERVERS", "servers"),
        ("SEARCH", "search"),
        ("LAYER", "layer"),
    )
)]
pub struct ResolverSpec {
    /// Servers, best first.
    #[field(1)]
    pub servers: Vec<IpAddr>,
    /// Domains to try for short names.
    #[field(2)]
    pub search: Vec<String>,
    /// Where this wish comes from.
    #[field(3)]
    pub layer: ConfigLayer,
}
