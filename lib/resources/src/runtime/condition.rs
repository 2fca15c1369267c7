//! Something the node waits for, or has reached.
//!
//! Written by machined in `runtime`, id: what it is about, such as `api` or `network`.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "Conditions.runtime.garboard",
    namespace = "runtime",
    columns(
        ("MET", "met"),
        ("MESSAGE", "message"),
    )
)]
pub struct Condition {
    /// Whether it is so.
    #[field(1)]
    pub met: bool,
    /// What is there or missing, for a person.
    #[field(2)]
    pub message: String,
}
