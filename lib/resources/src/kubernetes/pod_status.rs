//! A pod of the node as its cluster knows it, the node's own static ones included.
//!
//! Written by machined in `kubernetes`, id: its namespace, a slash and its name. While no API server answers, they are what it said
//! last. Of pods that have ended the node shows a hundred at most.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// How far a pod is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PodPhase {
    /// Nobody knows, or it is one that came up later.
    #[default]
    Unknown = 0,
    /// Its containers have not all been started once.
    Pending = 1,
    /// One at least runs, or is about to be started again.
    Running = 2,
    /// All have ended well, and none is started again.
    Succeeded = 3,
    /// All have ended, one at least badly, and none is started again.
    Failed = 4,
}

/// One pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "PodStatuses.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("pod", "pods", "podstatus", "podstatuses"),
    columns(("READY", "ready"), ("RESTARTS", "restarts"), ("REASON", "reason"))
)]
pub struct PodStatus {
    /// The namespace that it is in.
    #[field(1)]
    pub namespace: String,
    /// Its name there.
    #[field(2)]
    pub name: String,
    /// How far it is.
    #[field(3)]
    pub phase: PodPhase,
    /// Whether it does what it is for.
    #[field(4)]
    pub ready: bool,
    /// How often its containers were started again, all together.
    #[field(5)]
    pub restarts: u32,
    /// Why it is not ready, that it has ended, or that it is about to go, cut to 300 characters, and what is wrong with the node's own
    /// copies of its images; empty otherwise.
    #[field(6)]
    pub reason: String,
    /// The images of its containers, of sixteen at most.
    #[field(7)]
    pub images: Vec<String>,
    /// What made it, such as `DaemonSet/kube-proxy`; `Node/NAME` for one that the node runs by itself, and empty for one that
    /// somebody made by hand.
    #[field(8)]
    pub owner: String,
}
