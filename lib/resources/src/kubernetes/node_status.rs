//! The node as its cluster knows it.
//!
//! Written by machined in `kubernetes`, id: the node's name. There is none before the cluster knows it.

use serde::{Deserialize, Serialize};
use store::Spec;

use crate::net::Cidr;

/// One node: this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "NodeStatuses.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("nodestatus", "nodestatuses"),
    columns(("READY", "ready"), ("POD-RANGES", "podRanges"), ("REASON", "reason"))
)]
pub struct NodeStatus {
    /// Whether pods can run on it.
    #[field(1)]
    pub ready: bool,
    /// Why not; empty when they can.
    #[field(2)]
    pub reason: String,
    /// Where its pods have their addresses from: what Kubernetes gave it.
    #[field(3)]
    pub pod_ranges: Vec<Cidr>,
}
