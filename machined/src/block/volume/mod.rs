//! The node's own partitions on its system disk.
//!
//! Owns: which disk it is, the partition table, the notes in META, and the file systems from mke2fs to the mount. What is
//! to be done is planned without effects (`plan`), and done by the keeper, one step at a time.

pub mod apply;
pub mod config;
mod guid;
mod host;
mod keeper;
mod layout;
mod meta;
mod orders;
mod plan;
mod status;
mod table;

pub use keeper::Volumes;
pub use orders::{RefusedError, Target};

#[cfg(test)]
mod tests;
