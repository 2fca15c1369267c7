//! What can go wrong between us and the kernel's routing socket.

use std::io;

use thiserror::Error;

/// A failed verb, with its subject.
#[derive(Debug, Error)]
pub enum Error {
    /// The kernel gave no routing socket.
    #[error("cannot open a routing socket")]
    Open(#[source] io::Error),
    /// The driver of the sockets is gone.
    #[error("the routing socket is closed")]
    Closed,
    /// Reading a table failed.
    #[error("cannot list {what}")]
    List {
        /// `links`, `addresses` or `routes`.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The table kept changing while it was read.
    #[error("{0} change faster than they can be listed")]
    Unstable(&'static str),
    /// A change was refused.
    #[error("the kernel refused {subject}")]
    Refused {
        /// The link, address or route.
        subject: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Error {
    /// The kernel's error number, when it gave one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Open(e) | Self::List { source: e, .. } | Self::Refused { source: e, .. } => {
                e.raw_os_error()
            }
            Self::Closed | Self::Unstable(_) => None,
        }
    }
}
