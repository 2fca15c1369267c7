//! The addresses others reach this node by: the one place Kubernetes, etcd and certificates read them from.
//!
//! Written by machined in `network`, id `current`.

use serde::{Deserialize, Serialize};
use store::Spec;

use super::Cidr;

/// The id of the only resource of this type today.
pub const CURRENT: &str = "current";

/// The node's own addresses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "NodeAddresses.net.garboard",
    namespace = "network",
    columns(
        ("ADDRESSES", "addresses"),
    )
)]
pub struct NodeAddress {
    /// Global addresses, in a stable order: by link name, then IPv4 before IPv6, then by value.
    #[field(1)]
    pub addresses: Vec<Cidr>,
}
