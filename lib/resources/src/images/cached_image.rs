//! A container image that came with the node, and that the node serves to containerd itself.
//!
//! Written by machined in `images`, id: the full reference that it is pulled by, such as `registry.k8s.io/pause:3.10`; of one without a
//! name, the digest.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// Whether all of it can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CacheState {
    /// As far as is known. Bytes are proven when they are asked for first.
    #[default]
    Whole = 0,
    /// Not all of it; what is good is served.
    Broken = 1,
}

/// One image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "CachedImages.images.garboard",
    namespace = "images",
    aliases("imagecache", "cachedimage", "cachedimages"),
    columns(("SIZE", "bytes"), ("STATE", "state"))
)]
pub struct CachedImage {
    /// The digest of its manifest.
    #[field(1)]
    pub digest: String,
    /// How long all its parts are together.
    #[field(2)]
    pub bytes: u64,
    /// What it runs on, such as `linux/amd64`, as far as its bundle says.
    #[field(3)]
    pub platforms: Vec<String>,
    /// The folder of its bundle.
    #[field(4)]
    pub bundle: String,
    /// Whether all of it can be used.
    #[field(5)]
    pub state: CacheState,
    /// What is wrong with it; empty when nothing is known to be.
    #[field(6)]
    pub problem: String,
}
