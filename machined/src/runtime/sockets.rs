//! The listening sockets: made once per boot, kept by init across our death so that no caller meets a closed port.

use std::fs;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::socket::sockopt::{IpFreebind, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket,
};
use sys::link::StoreName;
use thiserror::Error;

use super::init_link::{InitLink, InitLinkError};
use crate::images::registry;
use crate::kubernetes::balancer;

/// The name the API's socket is kept under.
const API: &str = "api";
/// The name the socket of the registry of images is kept under.
const IMAGES: &str = "images";
/// The name the socket of the Kubernetes API's balancer is kept under.
const KUBERNETES: &str = "kubernetes";
/// The name the state's socket is kept under.
const STATE: &str = "state";

/// Why a socket could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The API's port.
    #[error("listening on port {0}")]
    Port(u16, #[source] io::Error),
    /// The state's socket.
    #[error("listening on {0}")]
    Path(PathBuf, #[source] io::Error),
    /// init did not take them.
    #[error("having init keep the sockets")]
    Keep(#[source] InitLinkError),
}

/// The sockets others reach us by.
#[derive(Debug)]
pub struct Sockets {
    /// The API's port.
    pub api: TcpListener,
    /// The state, for daemons on this node.
    pub state: UnixListener,
    /// The registry of images, for programs on this node; none, when somebody else has its port.
    pub images: Option<TcpListener>,
    /// The balancer of the Kubernetes API, for programs on this node; none, when somebody else has its port.
    pub kubernetes: Option<TcpListener>,
}

impl Sockets {
    /// Takes the sockets of our former life, or makes them and has init keep them.
    ///
    /// # Errors
    /// A socket that is missing could not be made or kept.
    pub fn take(
        stored: Vec<(StoreName, OwnedFd)>,
        port: u16,
        path: &Path,
        group: u32,
        init: &InitLink,
    ) -> Result<Self, SocketError> {
        let (mut api, mut state, mut images, mut kubernetes) = (None, None, None, None);
        for (name, descriptor) in stored {
            match name.as_str() {
                API => api = Some(TcpListener::from(descriptor)),
                STATE => state = Some(UnixListener::from(descriptor)),
                KUBERNETES => kubernetes = Some(TcpListener::from(descriptor)),
                IMAGES => images = Some(TcpListener::from(descriptor)),
                other => tracing::warn!(name = other, "a descriptor nobody here knows"),
            }
        }
        let api = match api {
            Some(listener) => listener,
            None => {
                let listener =
                    any_address(port).map_err(|source| SocketError::Port(port, source))?;
                init.keep(API, &listener).map_err(SocketError::Keep)?;
                listener
            }
        };
        let state = match state {
            Some(listener) => listener,
            None => {
                let listener = local(path, group)
                    .map_err(|source| SocketError::Path(path.to_owned(), source))?;
                init.keep(STATE, &listener).map_err(SocketError::Keep)?;
                listener
            }
        };
        let images = images.or_else(|| own(IMAGES, registry::PORT, init));
        let kubernetes = kubernetes.or_else(|| own(KUBERNETES, balancer::PORT, init));
        Ok(Self {
            api,
            state,
            images,
            kubernetes,
        })
    }
}

/// A socket for programs on this node. The node does without it: it can still be asked what is wrong.
fn own(name: &'static str, port: u16, init: &InitLink) -> Option<TcpListener> {
    let failed =
        |error| tracing::error!(name, port, %error, "cannot listen for programs on this node");
    let listener = loopback(port).map_err(failed).ok()?;
    if let Err(error) = init.keep(name, &listener) {
        tracing::warn!("keeping the socket for {name}: {}", cosi::report(&error));
    }
    Some(listener)
}

/// Only this node can reach it. The loopback link is networkd's to bring up, which it does later: until then the address is not there.
fn loopback(port: u16) -> nix::Result<TcpListener> {
    let (family, kind) = (AddressFamily::Inet, SockType::Stream);
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, ReuseAddr, &true)?;
    setsockopt(&socket, IpFreebind, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port))?;
    // As many as the standard library has wait.
    listen(&socket, Backlog::new(128)?)?;
    Ok(TcpListener::from(socket))
}

/// Both families on one socket; the kernel's default for `::` (net.ipv6.bindv6only is 0).
fn any_address(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
}

/// A socket that root and one group may connect to; what they may do is decided call by call.
fn local(path: &Path, group: u32) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    chown(path, None, Some(group))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::process::Command;

    use super::*;

    #[test]
    fn loopback_is_listened_on_before_it_is_up() {
        let name = "runtime::sockets::tests::loopback_is_listened_on_before_it_is_up";
        testkit::isolated(name, || async {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, balancer::PORT));
            // The kernel takes any address for one of its own until it has one.
            let added = Command::new("ip")
                .args(["address", "add", "10.0.0.1/8", "dev", "lo"])
                .status();
            assert!(added.unwrap().success());
            let early = TcpListener::bind(address).unwrap_err();
            assert_eq!(early.kind(), io::ErrorKind::AddrNotAvailable);
            let listener = loopback(balancer::PORT).unwrap();
            assert_eq!(listener.local_addr().unwrap(), address);
        });
    }
}
