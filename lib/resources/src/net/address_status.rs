//! An address a link has, as the kernel reports it.
//!
//! Written by networkd in `network`, id: `link/address/length`.

use serde::{Deserialize, Serialize};
use store::Spec;

use super::{Cidr, LinkName};

/// One observed address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "AddressStatuses.net.garboard",
    namespace = "network",
    aliases("address", "addresses"),
    columns(
        ("SCOPE", "scope"),
        ("MANAGED", "managed"),
    )
)]
pub struct AddressStatus {
    /// The address with its prefix length.
    #[field(1)]
    pub address: Cidr,
    /// The link it is on.
    #[field(2)]
    pub link: LinkName,
    /// The kernel's number of that link.
    #[field(3)]
    pub link_index: u32,
    /// How far the address reaches: `global`, `site`, `link`, `host`, `nowhere`.
    #[field(4)]
    pub scope: String,
    /// True when networkd put it there.
    #[field(5)]
    pub managed: bool,
    /// True until duplicate address detection has passed (IPv6).
    #[field(6)]
    pub tentative: bool,
}
