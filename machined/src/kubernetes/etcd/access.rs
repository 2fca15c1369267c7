//! Who the node is to etcd's members when it asks them itself.

use std::sync::Arc;

use ::config::{Documents, KeyPair};
use jiff::{SignedDuration, Timestamp};
use pki::kubernetes::etcd_admin;
use pki::tls::TlsError;
use pki::{Authority, IssueError, Trust, TrustError};
use rustls::ClientConfig;
use store::Store;
use thiserror::Error;

use crate::config::{ActiveError, active};
use crate::kubernetes::made::Made;

/// The name in the certificate.
const USER: &str = "garboard";

/// How long the certificate holds. It is made for a task at hand, and a snapshot of a large cluster over a slow line is a long one.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Why etcd cannot be asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AccessError {
    /// It is none of the control plane.
    #[error(
        "there is no etcd here: it runs on the control plane of a Kubernetes cluster alone; choose a node of that with -n"
    )]
    None,
    /// The config of the node cannot be read.
    #[error("reading the node's config")]
    Config(#[source] ActiveError),
    /// The authority refuses.
    #[error("issuing a certificate for etcd")]
    Issue(#[source] IssueError),
    /// The authority cannot be believed.
    #[error("reading the authority of etcd")]
    Trust(#[source] TrustError),
    /// TLS.
    #[error("preparing TLS for etcd")]
    Tls(#[source] TlsError),
}

/// What connects to members, with a certificate made for it, by what the config of a control plane has.
///
/// # Errors
/// The node is none of a control plane, or its secrets are of no use.
pub fn tls(documents: &Documents, now: Timestamp) -> Result<Arc<ClientConfig>, AccessError> {
    issue(authority(documents)?, now)
}

fn authority(documents: &Documents) -> Result<&KeyPair, AccessError> {
    let trust = documents.kubernetes_trust();
    let plane = trust.and_then(|it| it.control_plane.as_ref());
    Ok(&plane.ok_or(AccessError::None)?.etcd)
}

fn issue(authority: &KeyPair, now: Timestamp) -> Result<Arc<ClientConfig>, AccessError> {
    let certificate = authority.certificate.as_pem();
    let issuer = Authority::from_pem(certificate, authority.key.as_pem());
    let own = issuer.and_then(|it| it.issue(&etcd_admin(USER, LIFETIME), now));
    let own = own.map_err(AccessError::Issue)?;
    let trust = Trust::from_pem(certificate).map_err(AccessError::Trust)?;
    pki::tls::client(&trust, &own).map_err(AccessError::Tls)
}

/// The last that was made of a config's authority of etcd.
#[derive(Debug, Default)]
pub struct Access(Made<KeyPair, Arc<ClientConfig>>);

impl Access {
    /// As [`tls`].
    ///
    /// # Errors
    /// As [`tls`].
    pub fn tls(
        &mut self,
        documents: &Documents,
        now: Timestamp,
    ) -> Result<Arc<ClientConfig>, AccessError> {
        let of = authority(documents)?.clone();
        self.0.get(of, LIFETIME, now, |it| issue(it, now))
    }
}

/// The same by the config that is active in a store.
///
/// # Errors
/// As [`tls`], and when the config cannot be read.
pub fn tls_of(store: &Store, now: Timestamp) -> Result<Arc<ClientConfig>, AccessError> {
    let active = active(&store.snapshot()).map_err(AccessError::Config)?;
    tls(&active.ok_or(AccessError::None)?.documents, now)
}
