//! Snapshots that a node of the control plane takes of etcd by itself, and keeps on its disk.
//!
//! `plan` says when and which go, `shelf` is the folder, `take` asks etcd, and `apply` has it happen. `send` gives them to callers.

pub mod apply;
pub mod plan;
pub(super) mod send;
pub mod shelf;
pub mod take;
