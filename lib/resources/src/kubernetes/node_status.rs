//! A node as its cluster knows it.
//!
//! Written by machined in `kubernetes`, id: the node's name, one for every node of the cluster; the own one has the name of the
//! machine. While no API server answers, they are what it said last, and the own one is not ready.

use serde::{Deserialize, Serialize};
use store::Spec;

use crate::net::Cidr;

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "NodeStatuses.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("nodestatus", "nodestatuses"),
    columns(
        ("READY", "ready"),
        ("CONTROL-PLANE", "controlPlane"),
        ("VERSION", "kubeletVersion"),
        ("ADDRESSES", "addresses"),
        ("REASON", "reason"),
    )
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
    /// The addresses of the node itself, the first of each family its main one.
    #[field(4)]
    pub addresses: Vec<String>,
    /// Whether it is of the control plane.
    #[field(5)]
    pub control_plane: bool,
    /// The version of its kubelet, such as `v1.37.1`.
    #[field(6)]
    pub kubelet_version: String,
    /// Whether new pods come to it.
    #[field(7)]
    pub schedulable: bool,
}
