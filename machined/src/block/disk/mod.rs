//! Disks: what sysfs says of them, as resources.

pub mod status;
mod sysfs;
