//! Storage: the disks there are.

pub mod disk;
pub mod volume;

use std::path::Path;

use cosi::{RegisterError, Runtime};
use sys::uevent::Listener;

/// Where the kernel shows its devices.
pub const SYS: &str = "/sys";

/// Adds every controller of storage; `devices` wakes them.
///
/// # Errors
/// When one of them is there already.
pub fn register(runtime: &mut Runtime, devices: Listener) -> Result<(), RegisterError> {
    runtime.register(disk::status::Status::new(Path::new(SYS), devices))?;
    Ok(())
}
