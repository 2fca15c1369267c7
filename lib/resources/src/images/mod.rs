//! The container images that came with the node, and where others are fetched from.
//!
//! All in namespace `images`, all written by machined.

mod cached_image;
mod image_bundle;
mod registry_spec;
mod registry_status;

pub use cached_image::{CacheState, CachedImage};
pub use image_bundle::ImageBundle;
pub use registry_spec::{RegistryEndpoint, RegistrySpec};
pub use registry_status::RegistryStatus;

/// The label of a bundle that is one file, SquashFS: by it a node finds it on whatever it came.
pub const BUNDLE_LABEL: &str = "GARBOARD-BUNDLE";

/// Where that file is on a medium with other files as well: its folder, and its name there.
pub const BUNDLE_ON_MEDIUM: [&str; 2] = ["garboard", "bundle.img"];

/// The namespace of images.
pub const NAMESPACE: &str = "images";
