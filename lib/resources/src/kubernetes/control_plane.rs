//! A node of the cluster's control plane, and where it is reached.
//!
//! Written by machined in `kubernetes`, id: the node's name. A node keeps them on its disk, so that it finds a living one when it starts
//! again and whoever its endpoint leads to is gone.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "ControlPlanes.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("controlplane", "controlplanes"),
    columns(("ADDRESSES", "addresses"), ("REMEMBERED", "remembered"))
)]
pub struct ControlPlane {
    /// Its addresses.
    #[field(1)]
    pub addresses: Vec<String>,
    /// Whether that is from before the node started: no API server has said since who it is now.
    #[field(2)]
    pub remembered: bool,
}
