//! The string that lets an operator pair with a node in maintenance mode.
//!
//! Written by machined in `runtime`, id `current`, while the node is in maintenance.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const CURRENT: &str = "current";

/// The pairing string and how many wrong ones it survives.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "Pairings.runtime.garboard",
    namespace = "runtime",
    sensitive,
    columns(("ATTEMPTS LEFT", "attemptsLeft"))
)]
pub struct Pairing {
    /// What the console shows: the server key's hash, then the secret.
    #[field(1)]
    pub text: String,
    /// How many more wrong ones until there is a new string.
    #[field(2)]
    pub attempts_left: u32,
}

impl std::fmt::Debug for Pairing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pairing")
            .field("attempts_left", &self.attempts_left)
            .finish_non_exhaustive()
    }
}
