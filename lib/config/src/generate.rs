//! Builds the documents a new node begins with, from PEM text made elsewhere.

use crate::document::{Document, Documents};
use crate::kinds::{ApiTrustConfig, HostnameConfig, KeyPair, MachineConfig, Role};
use crate::problem::Problems;
use crate::types::{Certificate, Hostname, PemError, PrivateKey};

impl KeyPair {
    /// Checks the shape of a certificate and a key.
    ///
    /// # Errors
    /// When one of them is not the PEM it should be.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, PemError> {
        Ok(Self {
            certificate: certificate.parse()?,
            key: key.parse::<PrivateKey>()?,
        })
    }
}

/// The documents of a control-plane node, which carries the API's authority.
///
/// # Errors
/// None that can happen: the documents are of different kinds.
pub fn control_plane(
    ca: Certificate,
    issuer: KeyPair,
    hostname: Option<Hostname>,
) -> Result<Documents, Problems> {
    let trust = ApiTrustConfig {
        ca,
        issuer: Some(issuer),
        serving: None,
    };
    node(Role::ControlPlane, trust, hostname)
}

/// The documents of a worker, which carries a certificate of its own, or joins without one, and no authority.
///
/// # Errors
/// None that can happen: the documents are of different kinds.
pub fn worker(
    ca: Certificate,
    serving: Option<KeyPair>,
    hostname: Option<Hostname>,
) -> Result<Documents, Problems> {
    let trust = ApiTrustConfig {
        ca,
        issuer: None,
        serving,
    };
    node(Role::Worker, trust, hostname)
}

fn node(
    role: Role,
    trust: ApiTrustConfig,
    hostname: Option<Hostname>,
) -> Result<Documents, Problems> {
    let mut documents: Vec<Document> = vec![MachineConfig { role }.into(), trust.into()];
    documents.extend(hostname.map(|hostname| HostnameConfig { hostname }.into()));
    Documents::new(documents)
}
