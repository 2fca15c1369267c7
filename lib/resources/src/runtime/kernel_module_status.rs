//! What has become of a module the kernel should have.
//!
//! Written by machined in `runtime`, id: the module's name. Everything that is loaded is in `KernelModules`.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// Where a wanted module is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum KernelModuleState {
    /// This image has no such module.
    #[default]
    Missing = 0,
    /// It is loaded, with the parameters it should have.
    Loaded = 1,
    /// The kernel has it without loading anything.
    BuiltIn = 2,
    /// It is there, with other parameters; the reason says which.
    Differs = 3,
    /// The kernel refused it; the reason says why.
    Failed = 4,
}

/// The observed state of one wanted module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "KernelModuleStatuses.runtime.garboard",
    namespace = "runtime",
    aliases("modulestatus", "modulestatuses"),
    columns(
        ("STATE", "state"),
        ("PARAMETERS", "parameters"),
        ("REASON", "reason"),
    )
)]
pub struct KernelModuleStatus {
    /// Where it is.
    #[field(1)]
    pub state: KernelModuleState,
    /// The wanted parameters as the kernel shows them, each `name=value`; those it shows nobody are left out.
    #[field(2)]
    pub parameters: Vec<String>,
    /// Why it is not as it should be, for a person; empty when it is.
    #[field(3)]
    pub reason: String,
}
