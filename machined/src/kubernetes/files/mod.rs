//! The files that the parts of Kubernetes on this node read: certificates, keys, settings.
//!
//! They lie in memory, in a folder for each part that nobody else reads. Keys of the node's own are made here and never leave it;
//! after a restart of machined those that are there do as well.

pub mod apply;
mod certificates;
mod texts;

use std::net::IpAddr;

use ::config::KubernetesConfig;
use pki::Names;

pub(crate) use self::certificates::{both, status};

#[cfg(test)]
mod tests;

/// The condition that all of them are there.
pub const FILES: &str = "kubernetes";

/// The host of the endpoint, as certificates have it.
pub(crate) fn endpoint(config: &KubernetesConfig) -> Names {
    let host = config.endpoint.host().to_string();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut names = Names::default();
    match host.parse::<IpAddr>() {
        Ok(address) => drop(names.addresses.insert(address)),
        Err(_) => drop(names.names.insert(host.to_owned())),
    }
    names
}
