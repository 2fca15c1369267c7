//! Which cluster the node is of.
//!
//! Written by machined in `runtime`, id `cluster`. Absent where the config does not say.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const CLUSTER: &str = "cluster";

/// A cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "ClusterInfos.runtime.garboard",
    namespace = "runtime",
    columns(("CLUSTER", "cluster"), ("CLUSTER ID", "clusterId"))
)]
pub struct ClusterInfo {
    /// What people call it.
    #[field(1)]
    pub cluster: String,
    /// What tells it from all others.
    #[field(2)]
    pub cluster_id: String,
}
