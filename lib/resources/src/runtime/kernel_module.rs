//! A module the kernel has loaded.
//!
//! Written by machined in `runtime`, id: the module's name.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One loaded module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "KernelModules.runtime.garboard",
    namespace = "runtime",
    aliases("module", "modules"),
    columns(
        ("MEMORY", "bytes"),
        ("USED BY", "usedBy"),
    )
)]
pub struct KernelModule {
    /// The memory it takes.
    #[field(1)]
    pub bytes: u64,
    /// The modules that need it.
    #[field(2)]
    pub used_by: Vec<String>,
}
