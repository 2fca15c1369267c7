//! Which version of each part of Kubernetes the node is to run now. It follows the config as far as Kubernetes' rules of version skew
//! let it.
//!
//! Written by machined in `kubernetes`, id `kubernetes`.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The versions, such as `1.37.1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "KubernetesReleases.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("kubernetesrelease", "release", "releases"),
    columns(
        ("WANTED", "wanted"),
        ("API-SERVER", "apiServer"),
        ("CLIENTS", "clients"),
        ("HELD", "held"),
    )
)]
pub struct KubernetesRelease {
    /// What the config asks for.
    #[field(1)]
    pub wanted: String,
    /// Of the node's API server; empty where there is none, or none may begin.
    #[field(2)]
    pub api_server: String,
    /// Of those who ask API servers: kubelet, controller manager, scheduler. Empty where none may begin.
    #[field(3)]
    pub clients: String,
    /// The newest that an API server of this node has answered with: what is written for the cluster may be of this one.
    #[field(4)]
    pub served: String,
    /// The rule by which something is not what the config asks for; empty when all is.
    #[field(5)]
    pub held: String,
}
