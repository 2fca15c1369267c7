//! A pod that the kubelet runs because the node itself says so, before and without any API server.
//!
//! Written by machined in `kubernetes`, id: the name of the pod without that of the node.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(type = "StaticPods.kubernetes.garboard", namespace = "kubernetes")]
pub struct StaticPod {
    /// The image of its container.
    #[field(1)]
    pub image: String,
    /// The pod as the kubelet reads it, in JSON.
    #[field(2)]
    pub manifest: String,
    /// The condition that it begins at; empty: at once. A pod that runs goes on without it.
    #[field(3)]
    pub condition: String,
}
