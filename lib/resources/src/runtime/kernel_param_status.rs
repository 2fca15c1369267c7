//! A setting of the kernel that the config has something to say about.
//!
//! Written by machined in `runtime`, id: the setting's key. It stays until the value from before is back.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// What has become of a wish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum KernelParamState {
    /// The kernel has no such setting: it knows none, or its link or module is not there yet.
    #[default]
    Absent = 0,
    /// It is as it should be.
    Applied = 1,
    /// It is not; the error says why.
    Failed = 2,
}

/// The observed state of one setting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "KernelParamStatuses.runtime.garboard",
    namespace = "runtime",
    aliases("sysctl", "sysctls"),
    columns(
        ("VALUE", "value"),
        ("BEFORE", "before"),
        ("STATE", "state"),
        ("ERROR", "error"),
    )
)]
pub struct KernelParamStatus {
    /// What has become of the wish.
    #[field(1)]
    pub state: KernelParamState,
    /// The value as the kernel shows it; empty when it shows none.
    #[field(2)]
    pub value: String,
    /// The value from before this node's config changed it, which returns when the config says nothing any more.
    #[field(3)]
    pub before: Option<String>,
    /// How often somebody else changed it and it was put back, since machined started.
    #[field(4)]
    pub drifts: u32,
    /// Why it is not as it should be, for a person; empty when it is.
    #[field(5)]
    pub error: String,
}
