//! What the API port is at a moment: its mode, its TLS settings and whom it believes.
//!
//! One immutable value, replaced as a whole through a watch channel: from maintenance to running, and whenever a certificate is
//! renewed. New connections take the newest; calls on old connections are judged by the newest, too (see `authz`).

use std::collections::BTreeSet;
use std::sync::Arc;

use pki::tls::{self, TlsError};
use pki::{Fingerprint, Identity, Trust};
use rustls::ServerConfig;

/// Which API answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The node has no configuration, or none that works: pairing and upload only.
    Maintenance {
        /// Why, when it is not simply a new node.
        reason: Option<String>,
    },
    /// The node has a configuration: everything but pairing, over mutual TLS.
    Running,
}

/// The API port at a moment.
#[derive(Clone, Debug)]
pub struct Endpoint {
    mode: Mode,
    tls: Arc<ServerConfig>,
    clients: BTreeSet<Fingerprint>,
}

impl Endpoint {
    /// A node that waits: `own` is self-signed, no certificate is asked for.
    ///
    /// # Errors
    /// When `own` cannot be presented.
    pub fn maintenance(own: &Identity, reason: Option<String>) -> Result<Self, TlsError> {
        Ok(Self {
            mode: Mode::Maintenance { reason },
            tls: tls::maintenance_server(own)?,
            clients: BTreeSet::new(),
        })
    }

    /// A node that runs: `own` is issued by the API's authority, callers prove themselves to `clients`.
    ///
    /// # Errors
    /// When `own` cannot be presented or `clients` not be used.
    pub fn running(own: &Identity, clients: &Trust) -> Result<Self, TlsError> {
        Ok(Self {
            mode: Mode::Running,
            tls: tls::server(own, clients)?,
            clients: clients.fingerprints().clone(),
        })
    }

    /// The same for a node that workers join through: who has no certificate is answered what [`super::Access::Token`] allows.
    ///
    /// # Errors
    /// As [`running`](Self::running).
    pub fn open(own: &Identity, clients: &Trust) -> Result<Self, TlsError> {
        Ok(Self {
            tls: tls::open_server(own, clients)?,
            ..Self::running(own, clients)?
        })
    }

    /// Which API answers.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The authorities that client certificates are verified against; none in maintenance mode.
    pub fn clients(&self) -> &BTreeSet<Fingerprint> {
        &self.clients
    }

    pub(super) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }
}
