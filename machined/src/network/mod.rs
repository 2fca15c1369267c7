//! The pure half of the network: what it should be, from every source, merged.
//!
//! ```text
//! config, defaults, command line --config--> network-config --merge--> network --> networkd
//! networkd's operators (DHCP) -------------> network-config
//! ```
//!
//! One folder per noun; `config` writes what config, defaults and kernel command line want, `merge`
//! says who wins. Only `hostname`, `resolver`, `static_host` and `time` are applied here, because their effects need root;
//! everything else is networkd's.

pub mod address;
pub(crate) mod convert;
pub mod dhcp4;
pub(crate) mod fetch;
pub(crate) mod file;
pub mod hostname;
mod layers;
pub mod link;
pub mod lookup;
pub mod node_address;
pub mod resolver;
pub mod route;
pub mod static_host;
pub mod time;
pub mod time_server;

use std::path::Path;

use cosi::{RegisterError, Runtime};

use self::lookup::Lookup;

/// What the network's controllers are told once: it does not change while the machine runs.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// The kernel command line.
    pub command_line: &'a str,
    /// The machine's id, for a name when nobody gives one.
    pub machine_id: &'a str,
    /// Where `hostname`, `hosts` and `resolv.conf` are written.
    pub folder: &'a Path,
}

/// Adds every pure controller of the network, and those that need root or ask name servers.
///
/// # Errors
/// When one of them is there already.
pub fn register(
    runtime: &mut Runtime,
    host: Host<'_>,
    lookup: Lookup,
) -> Result<(), RegisterError> {
    register_pure(runtime, host)?;
    runtime.register(hostname::apply::Apply::new(host.folder.join("hostname")))?;
    runtime.register(resolver::apply::Apply::new(host.folder.join("resolv.conf")))?;
    runtime.register(static_host::apply::Apply::new(host.folder.join("hosts")))?;
    runtime.register(time_server::config::Config::new(lookup))?;
    let built = crate::runtime::clock::built();
    runtime.register(time::apply::Apply::new(time::kernel::ThisMachine, built))?;
    runtime.register(time::keep::Keep::new(time::kernel::ThisMachine))?;
    Ok(())
}

/// Adds the controllers without effects alone.
///
/// # Errors
/// When one of them is there already.
pub fn register_pure(runtime: &mut Runtime, host: Host<'_>) -> Result<(), RegisterError> {
    runtime.register(link::config::Config)?;
    runtime.register(link::merge::Merge)?;
    runtime.register(address::config::Config)?;
    runtime.register(address::merge::Merge)?;
    runtime.register(route::config::Config)?;
    runtime.register(route::merge::Merge)?;
    runtime.register(dhcp4::config::Config)?;
    runtime.register(dhcp4::merge::Merge)?;
    runtime.register(resolver::config::Config)?;
    runtime.register(resolver::merge::Merge)?;
    runtime.register(hostname::config::Config::new(
        host.command_line,
        host.machine_id,
    ))?;
    runtime.register(hostname::merge::Merge)?;
    runtime.register(static_host::config::Config)?;
    runtime.register(static_host::merge::Merge)?;
    runtime.register(node_address::status::Status)?;
    runtime.register(time::config::Config)?;
    runtime.register(time::merge::Merge)?;
    Ok(())
}

#[cfg(test)]
mod tests;
