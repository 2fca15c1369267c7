//! Bundles of container images on media and disks: finds them, and mounts them where the images are looked for.
//!
//! Owns: the mounts below `/run/garboard/bundles`, each named after the device it is of. What is to be done is planned
//! without effects (`plan`); what touches a medium is done by a thread for each device, since one may never answer. A life
//! that begins finds what is mounted by those names, so that there is nothing else to keep.

pub mod apply;
mod devices;
mod host;
mod mounts;
mod plan;
mod probe;

#[cfg(test)]
mod tests;
