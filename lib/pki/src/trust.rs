//! The authorities a peer is believed from.
//!
//! A `Trust` that exists holds at least one certificate, and each may sign others. Several at once are allowed: that is how an
//! authority is replaced without a moment in which nobody is believed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{Certificate, CertificateError, Fingerprint, tls};

/// One or more certificate authorities.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    fingerprints: BTreeSet<Fingerprint>,
}

/// The text holds nothing to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A certificate could not be read.
    #[error("read the authority's certificate")]
    Certificate(#[source] CertificateError),
    /// There is no certificate at all.
    #[error("find an authority in an empty text; it must hold a PEM block BEGIN CERTIFICATE")]
    Empty,
    /// A certificate is no authority.
    #[error(
        "trust {0:?} as an authority; its certificate may not sign others, so the wrong one was given"
    )]
    NotAnAuthority(String),
    /// rustls refuses it.
    #[error("use the authority {subject:?}; make a new one with `osctl gen secrets`")]
    Refused {
        /// Whose certificate.
        subject: String,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
}

impl Trust {
    /// Reads the authorities of a PEM text.
    ///
    /// # Errors
    /// When there is none, or one cannot be read or may not sign.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let mut fingerprints = BTreeSet::new();
        for der in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let der = der.map_err(|error| TrustError::Certificate(CertificateError::Pem(error)))?;
            let facts = Certificate::from_der(&der).map_err(TrustError::Certificate)?;
            if !facts.authority {
                return Err(TrustError::NotAnAuthority(facts.subject));
            }
            roots.add(der).map_err(|source| TrustError::Refused {
                subject: facts.subject,
                source,
            })?;
            fingerprints.insert(facts.fingerprint);
        }
        if fingerprints.is_empty() {
            return Err(TrustError::Empty);
        }
        Ok(Self {
            roots: Arc::new(roots),
            fingerprints,
        })
    }

    /// The keys of the authorities. Equal sets mean that the same peers are believed.
    pub fn fingerprints(&self) -> &BTreeSet<Fingerprint> {
        &self.fingerprints
    }

    /// What the certificate of a server says, PEM, if it is by one of these authorities, and good for that name at `now`.
    pub fn server(&self, pem: &str, name: &str, now: Timestamp) -> Option<Certificate> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let verifier = WebPkiServerVerifier::builder_with_provider(self.roots(), tls::provider());
        let since = Duration::from_secs(u64::try_from(now.as_second()).ok()?);
        let (name, now) = (
            tls::server_name(name).ok()?,
            UnixTime::since_unix_epoch(since),
        );
        let verified = verifier
            .build()
            .ok()?
            .verify_server_cert(&der, &[], &name, &[], now);
        verified.ok()?;
        Certificate::from_der(&der).ok()
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.roots)
    }
}
