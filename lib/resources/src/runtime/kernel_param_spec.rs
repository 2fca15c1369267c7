//! A setting of the kernel as it should be.
//!
//! Written by machined in `runtime`, id: the setting's key, `net.ipv4.ip_forward`.

use serde::{Deserialize, Serialize};
use store::Spec;

/// What one setting should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "KernelParamSpecs.runtime.garboard",
    namespace = "runtime",
    columns(
        ("VALUE", "value"),
    )
)]
pub struct KernelParamSpec {
    /// The text that is written.
    #[field(1)]
    pub value: String,
}
