//! Whether a link asks for an address by DHCPv4, and how.
//!
//! Layered in `network-config` (any id), merged in `network` (id: the link's name).

use serde::{Deserialize, Serialize};
use store::Spec;

use super::{ConfigLayer, LinkName};

/// The metric of routes from DHCP when the config names none.
pub const DEFAULT_METRIC: u32 = 1024;

/// The wanted DHCPv4 client of one link.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "Dhcp4Specs.net.garboard",
    namespace = "network",
    columns(
        ("LINK", "link"),
        ("ENABLED", "enabled"),
        ("METRIC", "metric"),
        ("LAYER", "layer"),
    )
)]
pub struct Dhcp4Spec {
    /// The link to ask on.
    #[field(1)]
    pub link: LinkName,
    /// False stops the client and gives its lease up.
    #[field(2)]
    pub enabled: bool,
    /// The metric of its routes; 0 means `DEFAULT_METRIC`.
    #[field(3)]
    pub metric: u32,
    /// Where this wish comes from.
    #[field(4)]
    pub layer: ConfigLayer,
}

impl Dhcp4Spec {
    /// The metric of its routes.
    #[must_use]
    pub fn route_metric(&self) -> u32 {
        if self.metric == 0 {
            DEFAULT_METRIC
        } else {
            self.metric
        }
    }
}
