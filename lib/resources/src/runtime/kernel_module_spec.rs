//! A module the kernel should have.
//!
//! Written by machined in `runtime`, id: the module's name.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One module that should be there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "KernelModuleSpecs.runtime.garboard",
    namespace = "runtime",
    columns(
        ("PARAMETERS", "parameters"),
    )
)]
pub struct KernelModuleSpec {
    /// What it is loaded with, each `name=value`, by name.
    #[field(1)]
    pub parameters: Vec<String>,
}
