//! Objects that a Kubernetes cluster is given once: its own first ones, and those of the config.
//!
//! Written by machined in `kubernetes`, id: the name of the manifest. What is in one may be a secret.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "Manifests.kubernetes.garboard",
    namespace = "kubernetes",
    sensitive
)]
pub struct Manifest {
    /// Its objects in the order they are created in, each in JSON.
    #[field(1)]
    pub objects: Vec<String>,
    /// Why its objects are not known (yet); empty when they are.
    #[field(2)]
    pub reason: String,
}

/// How far the cluster has a manifest.
///
/// Written by machined in `kubernetes`, id: the name of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "ManifestStatuses.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("manifeststatus", "manifeststatuses"),
    columns(("OBJECTS", "objects"), ("CREATED", "created"), ("REASON", "reason"))
)]
pub struct ManifestStatus {
    /// How many objects are in it.
    #[field(1)]
    pub objects: u32,
    /// How many of them were created, by this node or another one; they are never touched again.
    #[field(2)]
    pub created: u32,
    /// Why not all, of the first that was not; empty when all were.
    #[field(3)]
    pub reason: String,
}
