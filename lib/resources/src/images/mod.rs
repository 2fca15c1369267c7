//! The container images that came with the node.
//!
//! All in namespace `images`, all written by machined.

mod cached_image;
mod image_bundle;

pub use cached_image::{CacheState, CachedImage};
pub use image_bundle::ImageBundle;

/// The namespace of images.
pub const NAMESPACE: &str = "images";
