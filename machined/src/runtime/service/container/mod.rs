//! Services whose program is from an OCI image: the process that is kept running is the container runtime's, which stays until
//! the container has ended.
//!
//! ```text
//! spec -> pulls (containerd: pull, unpack, view) -> roots (mount, config.json) -> crun run, as any other program
//! ```
//!
//! The image is pulled and unpacked by containerd; all else is done here, so that a service does not end with containerd.
//! What lies on the disk is containerd's, and found there by a key that is made of the service's name and the image's layers;
//! what lies in memory is made anew at every start. So whatever is cut short leaves nothing that the next start could trip over.

pub(super) mod bundle;
pub(super) mod image;
pub(super) mod pulls;
pub(super) mod roots;
pub(super) mod spec;
