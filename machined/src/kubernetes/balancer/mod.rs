//! The way of the node's programs to the Kubernetes API: 127.0.0.1:7445 leads to an API server that is well.
//!
//! ```text
//! resources -> backends (who there is) --\
//!                                         health (who is tried first) -> pass (dials, copies bytes)
//! look (asks each how it is) ------------/
//! ```
//!
//! Bytes are passed on as they are: TLS is between both ends, and the balancer can read nothing and be nobody. The listening socket
//! is there from the start of the node and kept by init; without an API server to go to, connections are closed at once. One task
//! serves ([`Balancer::serve`]) and owns those of connections; all end with it, and ending one only closes its sockets, after which
//! clients connect again.

pub mod apply;
pub mod backends;
pub mod health;
mod look;
mod pass;
mod ready;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use tokio::sync::watch;

use self::backends::Backend;
use self::health::Health;
pub use self::pass::Balancer;
use crate::network::lookup::Lookup;

/// The port, on loopback: as other systems of this kind have it.
pub const PORT: u16 = 7445;

/// The API, for programs of this node.
#[must_use]
pub fn url() -> String {
    format!("https://{}:{PORT}", Ipv4Addr::LOCALHOST)
}

/// What finds out where connections may go and tells how they are, and what passes them on.
///
/// `kubelet` is the folder of what the kubelet has: the cluster's authority, by which API servers prove themselves when they are asked how
/// they are, and the certificate with which they are asked what they are.
#[must_use]
pub fn parts(lookup: Lookup, kubelet: PathBuf) -> (apply::Apply, Balancer) {
    let backends = watch::Sender::new(Vec::<Backend>::new());
    let health = watch::Sender::new(Health::default());
    let told = (backends.subscribe(), health.subscribe());
    let apply = apply::Apply::new(backends, told.1);
    (apply, Balancer::new(told.0, health, lookup, kubelet))
}
