//! What images there are: looks for bundles, publishes the catalog, and tells of each image and each bundle.

mod look;
mod rows;
pub mod status;
