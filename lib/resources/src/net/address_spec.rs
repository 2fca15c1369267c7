//! An address a link should have.
//!
//! Layered in `network-config` (any id), merged in `network` (id: `link/address/length`, as `AddressSpec::merged_id` makes it).

use serde::{Deserialize, Serialize};
use store::Spec;

use super::{Cidr, ConfigLayer, LinkName};

/// One wanted address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "AddressSpecs.net.garboard",
    namespace = "network",
    columns(
        ("LAYER", "layer"),
    )
)]
pub struct AddressSpec {
    /// The address with its prefix length.
    #[field(1)]
    pub address: Cidr,
    /// The link it belongs on.
    #[field(2)]
    pub link: LinkName,
    /// Where this wish comes from.
    #[field(3)]
    pub layer: ConfigLayer,
}

impl AddressSpec {
    /// The id of this spec once merged; two specs with the same id are one address.
    #[must_use]
    pub fn merged_id(&self) -> String {
        format!("{}/{}", self.link, self.address)
    }
}
