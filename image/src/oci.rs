//! Container images as an OCI image layout (image-spec 1.1): documents and layers, each a blob that is named by its
//! SHA-256, and one index of all images.
//!
//! Owns writing and checking layouts. A layer is a [`crate::tree::Tree`] as a tar archive: sorted, everything root's,
//! one time for all; so the same files are the same blob in every image and every build. Never knows which images
//! there are: that is `bundle`.

pub mod check;
pub mod document;
pub mod layer;
pub mod layout;

pub use check::{Found, check};
pub use document::{Digest, Run};
pub use layout::{Image, Layout};
