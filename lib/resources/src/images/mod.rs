//! The container images that came with the node.
//!
//! All in namespace `images`, all written by machined.

mod cached_image;
mod image_bundle;

pub use cached_image::{CacheState, CachedImage};
pub use image_bundle::ImageBundle;

/// The label of a bundle that is one file, SquashFS: by it a node finds it on whatever it came.
pub const BUNDLE_LABEL: &str = "GARBOARD-BUNDLE";

/// Where that file is on a medium with other files as well: its folder, and its name there.
pub const BUNDLE_ON_MEDIUM: [&str; 2] = ["garboard", "bundle.img"];

/// The namespace of images.
pub const NAMESPACE: &str = "images";
