//! Config resources: what the node was told to be.

mod machine_config;

pub use machine_config::{ACTIVE, MachineConfig};

/// The namespace of config resources.
pub const NAMESPACE: &str = "config";
