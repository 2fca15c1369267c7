//! Where containerd fetches images from that did not come with the node: mirrors, credentials and authorities of the config.
//!
//! ```text
//! documents -> config -> RegistrySpec -> apply (judge, render, tree) -> a folder for each registry -> containerd
//! ```
//!
//! containerd reads the folder of a registry at every pull, so nothing is started anew. All that pulls on a node does so through it: pods,
//! and services from images. What is written is for this boot, below `/run`.

pub mod apply;
pub mod config;
mod judge;
mod render;
mod tree;

#[cfg(test)]
mod tests;
