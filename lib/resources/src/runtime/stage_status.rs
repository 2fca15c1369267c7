//! How far the node is in its life.
//!
//! Written by machined in `runtime`, id `machined`.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// The id of the only resource of this type.
pub const MACHINED: &str = "machined";

/// A part of the node's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The daemons have started; left when it is known whether there is a config.
    #[default]
    Starting = 0,
    /// There is no config, or none that may run; left by an apply.
    Maintenance = 1,
    /// A config is there and not yet reached, or the disk that may hold one is looked for; left when that is done.
    Booting = 2,
    /// The node is what its config says; left at the end only.
    Running = 3,
    /// On the way to another start; left by the kernel.
    Rebooting = 4,
    /// On the way to power off; left by the kernel.
    ShuttingDown = 5,
}

/// How far the node is, and why it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "Stages.runtime.garboard",
    namespace = "runtime",
    columns(
        ("STAGE", "stage"),
        ("REASON", "reason"),
    )
)]
pub struct StageStatus {
    /// Where it is.
    #[field(1)]
    pub stage: Stage,
    /// Why it is there, for a person; empty when that is plain.
    #[field(2)]
    pub reason: String,
}
