//! What a link should be.
//!
//! Layered in `network-config` (any id), merged in `network` (id: the link's name). A link no spec names is left alone.

use serde::{Deserialize, Serialize};
use store::Spec;

use super::{ConfigLayer, LinkName};

/// The wanted state of one link.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "LinkSpecs.net.garboard",
    namespace = "network",
    columns(
        ("LINK", "name"),
        ("UP", "up"),
        ("MTU", "mtu"),
        ("LAYER", "layer"),
    )
)]
pub struct LinkSpec {
    /// The link this is about.
    #[field(1)]
    pub name: LinkName,
    /// Whether the link is administratively up.
    #[field(2)]
    pub up: bool,
    /// The largest packet in bytes; absent leaves the driver's.
    #[field(3)]
    pub mtu: Option<u32>,
    /// Where this wish comes from.
    #[field(4)]
    pub layer: ConfigLayer,
}
