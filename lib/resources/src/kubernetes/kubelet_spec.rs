//! What the node is to be in its cluster, as its kubelet is told.
//!
//! Written by machined in `kubernetes`, id `kubelet`.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const KUBELET: &str = "kubelet";

/// One kubelet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "KubeletSpecs.kubernetes.garboard",
    namespace = "kubernetes",
    columns(("TAINTS", "taints"))
)]
pub struct KubeletSpec {
    /// Labels of the node, each `KEY=VALUE`.
    #[field(1)]
    pub labels: Vec<String>,
    /// Annotations of the node, each `KEY=VALUE`.
    #[field(2)]
    pub annotations: Vec<String>,
    /// Taints that the node joins the cluster with, each `KEY=VALUE:EFFECT` or `KEY:EFFECT`.
    #[field(3)]
    pub taints: Vec<String>,
    /// How many pods it takes.
    #[field(4)]
    pub max_pods: u32,
    /// What of its processors is not for pods, in thousandths of one.
    #[field(5)]
    pub reserved_milli_cpu: u64,
    /// What of its memory is not for pods, in bytes.
    #[field(6)]
    pub reserved_memory: u64,
    /// What of its disk is not for pods, in bytes.
    #[field(7)]
    pub reserved_disk: u64,
    /// How many processes and threads are not for pods.
    #[field(8)]
    pub reserved_processes: u32,
}
