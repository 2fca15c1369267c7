//! What the images of a registry are fetched from, without secrets.
//!
//! Written by machined in `images`, id: the registry as the names of its images begin, or `*` for every one that has none of its own.

use serde::{Deserialize, Serialize};
use store::Spec;

/// What is asked for the images of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "RegistryStatuses.images.garboard",
    namespace = "images",
    aliases("registry", "registries"),
    columns(
        ("MIRRORS", "mirrors"),
        ("FALLBACK", "fallback"),
        ("ERROR", "error"),
    )
)]
pub struct RegistryStatus {
    /// What is asked first, in this order, after the images that came with the node.
    #[field(1)]
    pub mirrors: Vec<String>,
    /// Whether the registry itself is asked last.
    #[field(2)]
    pub fallback: bool,
    /// What of it is asked with credentials; the registry itself by its name where that is all that is known of it.
    #[field(3)]
    pub credentials: Vec<String>,
    /// What of it may show any certificate.
    #[field(4)]
    pub insecure: Vec<String>,
    /// What of the config is not used, and why, for a person; empty when all is.
    #[field(5)]
    pub error: String,
}
