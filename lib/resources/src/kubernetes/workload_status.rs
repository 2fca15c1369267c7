//! What the cluster has of its own workloads: the proxy of services and the name server.
//!
//! Written by machined in `kubernetes` on nodes of the control plane, id: the name, in the namespace `kube-system`. While no API
//! server answers, they are what it said last.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "WorkloadStatuses.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("workload", "workloads", "workloadstatus", "workloadstatuses"),
    columns(
        ("KIND", "kind"),
        ("PRESENT", "present"),
        ("WANTED", "wanted"),
        ("READY", "ready"),
        ("REASON", "reason"),
    )
)]
pub struct WorkloadStatus {
    /// What it is: `DaemonSet` or `Deployment`.
    #[field(1)]
    pub kind: String,
    /// Whether the cluster has it. Whoever takes it away means it.
    #[field(2)]
    pub present: bool,
    /// How many pods it should have.
    #[field(3)]
    pub wanted: u32,
    /// How many of them are ready.
    #[field(4)]
    pub ready: u32,
    /// Why not all are; empty when they are, or there is none.
    #[field(5)]
    pub reason: String,
}
