//! A folder of images that came with the node: in its root, on the medium it was started from, or on a disk.
//!
//! Written by machined in `images`, id: the folder.

use serde::{Deserialize, Serialize};
use store::Spec;

use super::CacheState;

/// One bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "ImageBundles.images.garboard",
    namespace = "images",
    aliases("bundle", "bundles", "imagebundle", "imagebundles"),
    columns(
        ("IMAGES", "images"),
        ("SIZE", "bytes"),
        ("STATE", "state"),
    )
)]
pub struct ImageBundle {
    /// How many images it lists.
    #[field(1)]
    pub images: u32,
    /// How long all parts of its images are together, each counted once.
    #[field(2)]
    pub bytes: u64,
    /// Whether its list of images can be read.
    #[field(3)]
    pub state: CacheState,
    /// What is wrong with it, or which of its images are not used; empty otherwise.
    #[field(4)]
    pub problem: String,
}
