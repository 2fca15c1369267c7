//! What runs on the node.
//!
//! Written by machined in `runtime`, id `garboard`, once at start.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const GARBOARD: &str = "garboard";

/// The versions of what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "Versions.runtime.garboard",
    namespace = "runtime",
    columns(
        ("VERSION", "version"),
        ("KERNEL", "kernel"),
        ("ARCHITECTURE", "architecture"),
    )
)]
pub struct Version {
    /// The version of the system.
    #[field(1)]
    pub version: String,
    /// The kernel's release.
    #[field(2)]
    pub kernel: String,
    /// The processor's architecture: `amd64`.
    #[field(3)]
    pub architecture: String,
    /// The root hash of the image; empty when the root is not verified.
    #[field(4)]
    pub root_hash: String,
}
