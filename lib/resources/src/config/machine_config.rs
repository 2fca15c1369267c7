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
        ("APPLIED BY", "appliedBy"),
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
    /// When it was applied, by the node's clock, in seconds since 1970; 0 when that was lost.
    #[field(4)]
    pub applied_seconds: u64,
    /// Who applied it, for a person; empty when that was lost.
    #[field(5)]
    pub applied_by: String,
}

impl std::fmt::Debug for MachineConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineConfig")
            .field("generation", &self.generation)
            .field("hash", &self.hash)
            .field("applied_by", &self.applied_by)
            .finish_non_exhaustive()
    }
}
