//! Services whose program is from an OCI image: the process that is kept running is the container runtime's, which stays until
//! the container has ended.
//!
//! The image is pulled and unpacked by containerd; all else is done here, so that a service does not end with containerd.

pub(super) mod spec;
