//! Storage: the disks there are.
//!
//! All in namespace `block`, all written by machined.

mod disk;

pub use disk::{Bus, Disk};

/// The namespace of storage.
pub const NAMESPACE: &str = "block";
