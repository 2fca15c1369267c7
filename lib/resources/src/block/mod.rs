//! Storage: the disks there are, the one that is to be the node's, and what it keeps there.
//!
//! All in namespace `block`, all written by machined.

mod disk;
mod mount;
mod system_disk_spec;
mod volume_status;

pub use disk::{Bus, Disk};
pub use mount::Mount;
pub use system_disk_spec::{SYSTEM_DISK, SystemDiskSpec};
pub use volume_status::{VolumePhase, VolumeStatus};

/// The namespace of storage.
pub const NAMESPACE: &str = "block";
