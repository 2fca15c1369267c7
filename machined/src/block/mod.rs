//! Storage: the disks there are, and the node's own volumes.

pub mod disk;
pub mod mount;
pub mod volume;

use std::path::Path;

use cosi::{RegisterError, Runtime};
use sys::uevent::Listener;

/// Where the kernel shows its devices.
pub const SYS: &str = "/sys";

/// Where the kernel says what is mounted.
const MOUNTS: &str = "/proc/self/mountinfo";

/// Where STATE is mounted; it stays so over a restart of this daemon.
pub const STATE: &str = "/run/garboard/state";

/// Where EPHEMERAL is mounted.
pub const EPHEMERAL: &str = "/var";

/// Adds every controller of storage; `devices` wakes them. Without `volumes` no disk is touched.
///
/// # Errors
/// When one of them is there already.
pub fn register(
    runtime: &mut Runtime,
    devices: Listener,
    volumes: Option<volume::apply::Apply>,
) -> Result<(), RegisterError> {
    runtime.register(disk::status::Status::new(Path::new(SYS), devices))?;
    runtime.register(mount::status::Status::new(Path::new(MOUNTS)))?;
    if let Some(volumes) = volumes {
        runtime.register(volumes)?;
    }
    runtime.register(volume::config::Config)?;
    Ok(())
}
