//! The machine config the node runs.
//!
//! Written by machined in `config`, id `active`: on load and on apply. Absent in maintenance mode.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the config that counts.
pub const ACTIVE: &str = "active";

/// A generation of the machine config.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "MachineConfigs.config.garboard",
    namespace = "config",
    aliases("mc"),
    sensitive,
    columns(
        ("GENERATION", "generation"),
    )
)]
pub struct MachineConfig {
    /// Its number, counted from one.
    #[field(1)]
    pub generation: u64,
    /// The SHA-256 of the text in hexadecimal.
    #[field(2)]
    pub hash: String,
    /// The documents as they were given, secrets included.
    #[field(3)]
    pub text: String,
}

impl std::fmt::Debug for MachineConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineConfig")
            .field("generation", &self.generation)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
