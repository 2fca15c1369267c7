//! The node's own partitions on its system disk.
//!
//! Owns: which disk it is, the partition table, the notes in META, and the file systems from mke2fs to the mount. What is
//! to be done is planned without effects (`plan`), and done by the keeper, one step at a time.

pub mod apply;
mod candidates;
pub mod config;
mod device;
mod guid;
mod host;
mod keeper;
mod layout;
mod meta;
mod orders;
mod partition;
mod plan;
mod status;
mod table;
mod volumes;

pub use orders::{RefusedError, Target};
pub use volumes::Volumes;

#[cfg(test)]
mod tests;
