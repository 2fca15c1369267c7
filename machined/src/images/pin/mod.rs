//! The images that the node itself runs, which stay though the disk gets full.
//!
//! The kubelet removes images that no container uses when the disk gets full. It does not know of the node's own services, nor of what
//! a control plane runs next, and a node whose registry is out of reach would have lost them for good. So they are pinned, by the label
//! that CRI knows; [`plan`] says which, and takes the label away from those that nobody here wants any more.

pub mod apply;
pub mod plan;
