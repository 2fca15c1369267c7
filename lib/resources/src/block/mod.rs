//! Storage: the disks there are, and what the node keeps on its own.
//!
//! All in namespace `block`, all written by machined.

mod disk;
mod mount;
mod volume_status;

pub use disk::{Bus, Disk};
pub use mount::Mount;
pub use volume_status::{VolumePhase, VolumeStatus};

/// The namespace of storage.
pub const NAMESPACE: &str = "block";
