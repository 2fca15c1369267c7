//! A mounted file system, as the kernel reports it to machined; what pods mount for themselves is theirs.
//!
//! Written by machined in `block`, id: the folder it is mounted at. How full it is changes too often for a resource, and is
//! asked for: `osctl mounts`.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "Mounts.block.garboard",
    namespace = "block",
    aliases("mount", "mounts"),
    columns(("SOURCE", "source"), ("TYPE", "filesystem"), ("OPTIONS", "options"))
)]
pub struct Mount {
    /// What is mounted: a device, or a name the kernel gives to a file system without one.
    #[field(1)]
    pub source: String,
    /// The type of file system, such as `ext4`.
    #[field(2)]
    pub filesystem: String,
    /// The options of the place and of the file system, each once.
    #[field(3)]
    pub options: Vec<String>,
}
