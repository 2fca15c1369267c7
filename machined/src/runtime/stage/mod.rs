//! The stage of the node, from what is known of it.

pub mod status;
