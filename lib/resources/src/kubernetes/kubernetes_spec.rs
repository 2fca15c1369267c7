//! The Kubernetes cluster that the node is to be of, and what it is in there.
//!
//! Written by machined in `kubernetes`, id `kubernetes`. Without it nothing of Kubernetes runs.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

use crate::net::Cidr;

/// The id of the only resource of this type.
pub const KUBERNETES: &str = "kubernetes";

/// Whose images are run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSource {
    /// Those that come with the node.
    #[default]
    Bundle = 0,
    /// Those that the projects publish.
    Upstream = 1,
}

/// Who connects pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PodNetwork {
    /// The node itself.
    #[default]
    Builtin = 0,
    /// Whatever people bring along.
    None = 1,
}

/// One cluster, seen from a node of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "KubernetesSpecs.kubernetes.garboard",
    namespace = "kubernetes",
    columns(
        ("VERSION", "version"),
        ("ENDPOINT", "endpoint"),
        ("CONTROL-PLANE", "controlPlane"),
    )
)]
pub struct KubernetesSpec {
    /// The version of Kubernetes, such as `1.37.1`.
    #[field(1)]
    pub version: String,
    /// Where its API is reached from everywhere: `https://HOST:PORT`.
    #[field(2)]
    pub endpoint: String,
    /// Where the addresses of pods are taken from.
    #[field(3)]
    pub pod_ranges: Vec<Cidr>,
    /// Where the addresses of services are taken from.
    #[field(4)]
    pub service_ranges: Vec<Cidr>,
    /// The domain that names of pods and services are in.
    #[field(5)]
    pub dns_domain: String,
    /// Whose images are run.
    #[field(6)]
    pub images: ImageSource,
    /// Who connects pods.
    #[field(7)]
    pub network: PodNetwork,
    /// Whether this node is of the control plane.
    #[field(8)]
    pub control_plane: bool,
    /// The addresses of the cluster's DNS, one per range of services.
    #[field(9)]
    pub dns_addresses: Vec<String>,
}
