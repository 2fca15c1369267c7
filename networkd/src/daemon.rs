//! The daemon put together: sockets, controllers, signs of life.
//!
//! Tasks: the netlink driver and the pump of its notifications are branches of `serve` and end with it; controllers belong to the
//! runtime; DHCP and NTP clients belong to their controllers. None is detached. When the netlink socket breaks, the daemon ends and init
//! starts it anew: its state is in the kernel and in machined.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use cosi::{Node, RegisterError, RemoteRuntime};
use store::{Registry, RegistryError};
use thiserror::Error;

use crate::address::{apply::AddressApply, status::AddressStatuses};
use crate::dhcp4::apply::Dhcp4Apply;
use crate::kernel::{self, Kernel};
use crate::link::{apply::LinkApply, status::LinkStatuses};
use crate::masquerade::apply::MasqueradeApply;
use crate::route::{apply::RouteApply, status::RouteStatuses};
use crate::time_server::apply::TimeServerApply;

/// This runtime's name, and that of the one whose rest gives leave to delete.
const NAME: &str = "networkd";
const UPSTREAM: &str = "machined";

/// Without it the kernel drops all addresses of a subnet with the first one, also those that stay wanted.
const PROMOTE: &str = "/proc/sys/net/ipv4/conf/all/promote_secondaries";

/// Why the daemon ended.
#[derive(Debug, Error)]
pub enum ServeError {
    /// No netlink.
    #[error("cannot reach the kernel's network tables")]
    Netlink(#[source] netlink::Error),
    /// The resource types contradict each other.
    #[error("cannot register the resource types")]
    Registry(#[source] RegistryError),
    /// The controllers contradict each other.
    #[error("cannot register the controllers")]
    Controllers(#[source] RegisterError),
    /// The netlink socket broke.
    #[error("the connection to the kernel's network tables broke")]
    Broken,
}

/// Runs every controller on the state behind the socket, until `stop` is ready.
///
/// `ready` is called once, when everything is in place. Stopping, like being killed, leaves the network as it is.
///
/// # Errors
/// When something is missing at the start, or netlink breaks.
pub async fn serve(
    socket: &Path,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (netlink, changes, driver) = netlink::open().map_err(ServeError::Netlink)?;
    let (kernel, pump) = kernel::watch(netlink, changes);
    let client = cosi::wire::Client::new(
        cosi::wire::unix(socket),
        registry().map_err(ServeError::Registry)?,
    );
    let mut runtime = RemoteRuntime::new(NAME, UPSTREAM, client);
    register(&mut runtime, &kernel).map_err(ServeError::Controllers)?;
    if let Err(error) = fs::write(PROMOTE, "1") {
        tracing::warn!(path = PROMOTE, %error, "sysctl not set");
    }
    ready();
    tokio::select! {
        () = driver => Err(ServeError::Broken),
        () = pump => Err(ServeError::Broken),
        _stopped = runtime.run(stop) => Ok(()),
    }
}

/// What the controllers read and write: for the picture of the graph, and for who grants them that.
#[must_use]
pub fn nodes() -> [Node; 9] {
    [
        Node::of::<LinkStatuses>(),
        Node::of::<AddressStatuses>(),
        Node::of::<RouteStatuses>(),
        Node::of::<LinkApply>(),
        Node::of::<Dhcp4Apply>(),
        Node::of::<AddressApply>(),
        Node::of::<RouteApply>(),
        Node::of::<MasqueradeApply>(),
        Node::of::<TimeServerApply>(),
    ]
}

fn register(runtime: &mut RemoteRuntime, kernel: &Kernel) -> Result<(), RegisterError> {
    runtime.register(LinkStatuses(kernel.clone()))?;
    runtime.register(AddressStatuses(kernel.clone()))?;
    runtime.register(RouteStatuses(kernel.clone()))?;
    runtime.register(LinkApply(kernel.clone()))?;
    runtime.register(Dhcp4Apply::new(kernel.clone()))?;
    runtime.register(AddressApply(kernel.clone()))?;
    runtime.register(RouteApply(kernel.clone()))?;
    runtime.register(MasqueradeApply::default())?;
    runtime.register(TimeServerApply::default())?;
    Ok(())
}

fn registry() -> Result<Arc<Registry>, RegistryError> {
    let mut registry = Registry::new();
    registry
        .register::<cosi::status::ControllerStatus>()?
        .register::<cosi::status::RuntimeStatus>()?;
    resources::register_all(&mut registry)?;
    Ok(Arc::new(registry))
}
