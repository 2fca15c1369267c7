//! Where the images of a registry are fetched from.
//!
//! Written by machined in `images`, id: the registry as the names of its images begin, or `*` for every one that has none of its own.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecMessage};

/// A server that is asked for images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SpecMessage)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryEndpoint {
    /// Its URL. Empty: wherever the name of the registry leads.
    #[field(1)]
    pub url: String,
    /// Whether the path of the URL is all that stands before the name of an image.
    #[field(2)]
    pub override_path: bool,
    /// The user that it lets in; empty: it is asked without one.
    #[field(3)]
    pub username: String,
    /// The password of that user.
    #[field(4)]
    pub password: String,
    /// Authorities that it is believed by beside those that every server is, in PEM.
    #[field(5)]
    pub authorities: String,
    /// The certificate that it is shown, in PEM; empty: none.
    #[field(6)]
    pub certificate: String,
    /// The key of that certificate, in PEM.
    #[field(7)]
    pub key: String,
    /// Whether its own certificate is not looked at.
    #[field(8)]
    pub insecure_skip_verify: bool,
}

/// What is asked for the images of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "RegistrySpecs.images.garboard",
    namespace = "images",
    sensitive
)]
pub struct RegistrySpec {
    /// What is asked first, in this order, after the images that came with the node.
    #[field(1)]
    pub mirrors: Vec<RegistryEndpoint>,
    /// The registry itself, which is asked last; absent: it never is.
    #[field(2)]
    pub registry: Option<RegistryEndpoint>,
}
