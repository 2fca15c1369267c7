//! The node in its cluster: what the cluster says of it, and what follows for pods.

pub mod network;
pub mod object;
pub mod role;
pub mod status;
