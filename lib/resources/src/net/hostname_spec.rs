//! The node's name.
//!
//! Layered in `network-config` (any id), merged in `network` (id `hostname`).

use serde::{Deserialize, Serialize};
use store::Spec;

use super::ConfigLayer;

/// The id of the merged spec.
pub const HOSTNAME: &str = "hostname";

/// The name one source wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "HostnameSpecs.net.garboard",
    namespace = "network",
    aliases("hostname", "hostnames"),
    columns(
        ("HOSTNAME", "hostname"),
        ("DOMAIN", "domain"),
        ("LAYER", "layer"),
    )
)]
pub struct HostnameSpec {
    /// The first label: no dots.
    #[field(1)]
    pub hostname: String,
    /// The rest of the full name; may be empty.
    #[field(2)]
    pub domain: String,
    /// Where this wish comes from.
    #[field(3)]
    pub layer: ConfigLayer,
}
