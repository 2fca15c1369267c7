//! Certificate authorities to believe.
//!
//! Written by machined in `runtime`, id: the name of their document.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The authorities of one document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(type = "TrustedRootsSpecs.runtime.garboard", namespace = "runtime")]
pub struct TrustedRootsSpec {
    /// One or more certificates in PEM.
    #[field(1)]
    pub certificates: String,
}
