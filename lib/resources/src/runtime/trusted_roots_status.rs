//! What has become of certificate authorities to believe.
//!
//! Written by machined in `runtime`, id: the name of their document.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The authorities of one document as they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "TrustedRootsStatuses.runtime.garboard",
    namespace = "runtime",
    aliases("trustedroots"),
    columns(
        ("AUTHORITIES", "authorities"),
        ("ERROR", "error"),
    )
)]
pub struct TrustedRootsStatus {
    /// Whom the certificates name; they are believed, unless there is an error.
    #[field(1)]
    pub authorities: Vec<String>,
    /// Why none of the document is believed, for a person; empty when they are.
    #[field(2)]
    pub error: String,
}
