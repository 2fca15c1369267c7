//! The files that the parts of Kubernetes on this node read: certificates, keys, settings.
//!
//! They lie in memory, in a folder for each part that nobody else reads. Keys of the node's own are made here and never leave it;
//! after a restart of machined those that are there do as well.

pub mod apply;
mod certificates;
mod texts;

use ::config::{Host, KubernetesConfig};
use pki::Names;

pub(crate) use self::certificates::{both, status};

#[cfg(test)]
mod tests;

/// The condition that all of them are there.
pub const FILES: &str = "kubernetes";

/// The host of the endpoint, as certificates have it.
pub(crate) fn endpoint(config: &KubernetesConfig) -> Names {
    let mut names = Names::default();
    match config.endpoint.host() {
        Host::Address(address) => drop(names.addresses.insert(*address)),
        Host::Name(name) => drop(names.names.insert(name.to_string())),
    }
    names
}
