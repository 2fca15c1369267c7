//! Whether the kernel masquerades as it should.
//!
//! Written by networkd in `network`, id: that of the spec.

use serde::{Deserialize, Serialize};
use store::Spec;

/// What has become of a `MasqueradeSpec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "MasqueradeStatuses.net.garboard",
    namespace = "network",
    aliases("masquerade"),
    columns(("APPLIED", "applied"), ("DRIFTS", "drifts"), ("ERROR", "error"))
)]
pub struct MasqueradeStatus {
    /// Whether it does.
    #[field(1)]
    pub applied: bool,
    /// How often somebody else changed the rules and they were put back, since networkd started.
    #[field(2)]
    pub drifts: u32,
    /// Why it does not, for a person; empty when it does.
    #[field(3)]
    pub error: String,
}
