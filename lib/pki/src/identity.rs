//! A certificate together with its private key.
//!
//! An `Identity` that exists is whole: the key is readable and belongs to the certificate. Dates and issuers are not looked at;
//! whoever presents it, or verifies it, does that. The key stays PEM in memory, wiped on drop.

use std::fmt;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Certificate, CertificateError, Secret, tls};

/// A certificate (first its own, then its chain) and the private key that belongs to it.
#[derive(Clone)]
pub struct Identity {
    certificate_pem: String,
    key_pem: Secret<String>,
    facts: Certificate,
}

/// A certificate and a key do not make an identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The certificate part is unusable.
    #[error("take the certificate")]
    Certificate(#[source] CertificateError),
    /// The key part is unusable.
    #[error(
        "find a private key in the text; it must hold an unencrypted PEM block BEGIN PRIVATE KEY"
    )]
    Key(#[source] rustls_pki_types::pem::Error),
    /// The two do not belong together.
    #[error(
        "put the certificate {subject:?} and its key together; they must come from the same file or command"
    )]
    Mismatch {
        /// Whose certificate.
        subject: String,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
}

impl Identity {
    /// Puts a certificate chain and a key together, both PEM.
    ///
    /// # Errors
    /// When either cannot be read or they do not belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IdentityError> {
        let facts = Certificate::from_pem(certificate).map_err(IdentityError::Certificate)?;
        let identity = Self {
            certificate_pem: certificate.to_owned(),
            key_pem: Secret::new(key.to_owned()),
            facts,
        };
        let (chain, key) = identity.der()?;
        CertifiedKey::from_der(chain, key, &tls::provider()).map_err(|source| {
            IdentityError::Mismatch {
                subject: identity.facts.subject.clone(),
                source,
            }
        })?;
        Ok(identity)
    }

    /// The certificate and its chain, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key, PEM.
    pub fn key_pem(&self) -> &Secret<String> {
        &self.key_pem
    }

    /// What the certificate says.
    pub fn certificate(&self) -> &Certificate {
        &self.facts
    }

    /// Both parts as rustls takes them.
    pub(crate) fn der(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), IdentityError> {
        let chain = CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| IdentityError::Certificate(CertificateError::Pem(error)))?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.expose().as_bytes())
            .map_err(IdentityError::Key)?;
        Ok((chain, key))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.facts)
            .finish_non_exhaustive()
    }
}
