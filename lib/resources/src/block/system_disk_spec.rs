//! Which disk the config wants for the node.
//!
//! Written by machined in `block`, id `system`; absent when no document says.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only one.
pub const SYSTEM_DISK: &str = "system";

/// The disk that the node is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "SystemDiskSpecs.block.garboard",
    namespace = "block",
    columns(
        ("SELECTOR", "selector"),
        ("WIPE", "wipe"),
    )
)]
pub struct SystemDiskSpec {
    /// The selector that exactly one disk is to fit, such as `size >= 100GiB && bus == "nvme"`.
    #[field(1)]
    pub selector: String,
    /// What stands on the disk may go, while it holds none of this node's data.
    #[field(2)]
    pub wipe: bool,
}
