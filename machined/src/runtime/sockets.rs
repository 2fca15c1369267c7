//! The listening sockets: made once per boot, kept by init across our death so that no caller meets a closed port.

use std::fs;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use sys::link::StoreName;
use thiserror::Error;

use super::init_link::{InitLink, InitLinkError};

/// The name the API's socket is kept under.
const API: &str = "api";
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
        let (mut api, mut state) = (None, None);
        for (name, descriptor) in stored {
            match name.as_str() {
                API => api = Some(TcpListener::from(descriptor)),
                STATE => state = Some(UnixListener::from(descriptor)),
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
        Ok(Self { api, state })
    }
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
