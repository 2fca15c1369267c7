//! Logs that are sent elsewhere.
//!
//! Each destination has a task of its own. It reads the logs where they lie, from the place on that it has come to, so whoever
//! writes them knows nothing of it and never waits: the kernel's in its ring, those of services in their files. What it has read
//! waits in a queue of bounded size, and when that is full the oldest line goes and is counted. The place that each log was sent up
//! to is kept in a file that outlives this daemon, but not the machine, as do the logs.

pub mod apply;
pub mod config;
mod cursor;
mod line;
mod link;
mod queue;
mod read;
mod task;

use std::path::Path;

use crate::network::lookup::Lookup;

/// Registers the controllers: they keep what is theirs in `folder`, and look names up this way.
///
/// # Errors
/// Another one claims the same name or output.
pub fn register(
    controllers: &mut cosi::Runtime,
    folder: &Path,
    lookup: Lookup,
) -> Result<(), cosi::RegisterError> {
    controllers.register(config::Config)?;
    let places = apply::Places::in_folder(folder);
    controllers.register(apply::Apply::new(places, lookup))?;
    Ok(())
}

#[cfg(test)]
mod tests;
