//! Storage: the disks there are, the node's own volumes, and the images that others hold.

pub mod bundle;
pub mod disk;
pub mod mount;
pub mod volume;

use std::path::Path;

use cosi::{RegisterError, Runtime};
use sys::uevent::Listener;

/// Where the kernel shows its devices.
pub const SYS: &str = "/sys";

/// Where it puts their files.
pub const DEV: &str = "/dev";

/// Where the kernel says what is mounted.
const MOUNTS: &str = "/proc/self/mountinfo";

/// Where STATE is mounted; it stays so over a restart of this daemon.
pub const STATE: &str = "/run/garboard/state";

/// Where EPHEMERAL is mounted.
pub const EPHEMERAL: &str = "/var";

/// What works on disks, besides looking which there are.
#[derive(Debug)]
pub struct Disks {
    /// The node's own volumes.
    pub volumes: volume::apply::Apply,
    /// Bundles of images.
    pub bundles: bundle::apply::Apply,
}

/// Adds every controller of storage; `devices` wakes them. Without `disks` no disk is touched.
///
/// # Errors
/// When one of them is there already.
pub fn register(
    runtime: &mut Runtime,
    devices: Listener,
    disks: Option<Disks>,
) -> Result<(), RegisterError> {
    runtime.register(disk::status::Status::new(Path::new(SYS), devices))?;
    runtime.register(mount::status::Status::new(Path::new(MOUNTS)))?;
    if let Some(disks) = disks {
        runtime.register(disks.volumes)?;
        runtime.register(disks.bundles)?;
    }
    runtime.register(volume::config::Config)?;
    Ok(())
}
