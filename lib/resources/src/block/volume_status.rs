//! A partition of the node's own on its system disk, and what has become of it.
//!
//! Written by machined in `block`, id: the partition's name in the table, such as `STATE` or `EPHEMERAL`.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// Where a volume is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum VolumePhase {
    /// The node still looks for its disk.
    #[default]
    Waiting = 0,
    /// There is none now; the reason says what would bring it about.
    Missing = 1,
    /// It is made, checked or grown.
    Preparing = 2,
    /// It is as it should be: mounted, if it is one to mount.
    Ready = 3,
    /// It cannot be used; the reason says why, and what was left alone for it.
    Failed = 4,
}

/// One volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "VolumeStatuses.block.garboard",
    namespace = "block",
    aliases("volume", "volumes"),
    columns(
        ("PHASE", "phase"),
        ("DEVICE", "device"),
        ("SIZE", "bytes"),
        ("MOUNTED AT", "mountedAt"),
        ("REASON", "reason"),
    )
)]
pub struct VolumeStatus {
    /// Where it is.
    #[field(1)]
    pub phase: VolumePhase,
    /// The partition, such as `/dev/nvme0n1p5`; empty while there is none.
    #[field(2)]
    pub device: String,
    /// The size of the partition.
    #[field(3)]
    pub bytes: u64,
    /// Where its file system is mounted; empty while it is not, and for a partition without one.
    #[field(4)]
    pub mounted_at: String,
    /// Why it is not ready, or what was mended to make it so; empty otherwise.
    #[field(5)]
    pub reason: String,
}
