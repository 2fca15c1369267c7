//! A client of containerd: what images it has, and the folders that a root is made of.
//!
//! Owns the words that are spoken with containerd and which errors of it matter; never: what is pulled, mounted or kept.
//! Images are pulled through CRI, the way the kubelet takes: so a service and a pod find the same mirrors and keep one copy
//! of a layer. CRI says nothing of where an image lies unpacked, so that is asked of containerd's own services.

mod client;
mod wire;

pub use client::{Client, Error, Image, Layers, Reference};

#[cfg(any(test, feature = "fake"))]
pub mod fake;

#[cfg(test)]
mod tests;
