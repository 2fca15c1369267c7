//! Who this node is to an API server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pki::{Identity, Trust};
use thiserror::Error;
use tokio::fs;

use super::known::SaidError;
use crate::kubernetes::admin::AdminError;
use crate::kubernetes::client::{Client, ClientError, SERVER};

/// How soon it is asked again, whatever has come of it.
const AGAIN: Duration = Duration::from_secs(3);

/// Why the cluster could not be asked.
#[derive(Debug, Error)]
pub(super) enum AskError {
    #[error("reading {0}")]
    File(PathBuf, #[source] std::io::Error),
    #[error("the certificate of the node")]
    Identity(#[source] pki::IdentityError),
    #[error("a certificate to change the node with")]
    Admin(#[source] AdminError),
    #[error("the authority of the cluster")]
    Trust(#[source] pki::TrustError),
    #[error("TLS")]
    Tls(#[source] pki::tls::TlsError),
    #[error("the API server took longer than {} s", .0.as_secs())]
    Slow(Duration),
    #[error("the cluster does not know this node")]
    NoNode,
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Said(#[from] SaidError),
}

impl AskError {
    /// Whether the node is none of the cluster's, or not yet.
    pub(super) fn is_not_of_the_cluster(&self) -> bool {
        matches!(self, Self::File(..) | Self::NoNode)
    }
}

/// Asks as the kubelet, whose files are in a folder.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    folder: PathBuf,
    server: SocketAddr,
    /// How soon again.
    pub(super) again: Duration,
}

impl Asker {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            server: SERVER,
            again: AGAIN,
        }
    }

    /// One that asks another server without waiting.
    #[cfg(test)]
    pub(super) fn of(folder: PathBuf, server: SocketAddr) -> Self {
        Self {
            folder,
            server,
            again: Duration::from_millis(1),
        }
    }

    /// As the kubelet. Its files are read each time, since certificates are replaced.
    pub(super) async fn kubelet(&self) -> Result<Client, AskError> {
        let own = self.text("client.pem").await?;
        let own = Identity::from_pem(&own, &own).map_err(AskError::Identity)?;
        let authority = self.text("ca.crt").await?;
        let authority = Trust::from_pem(&authority).map_err(AskError::Trust)?;
        Client::new(self.server, &authority, &own).map_err(AskError::Tls)
    }

    async fn text(&self, name: &str) -> Result<String, AskError> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).await;
        text.map_err(|error| AskError::File(path, error))
    }
}
