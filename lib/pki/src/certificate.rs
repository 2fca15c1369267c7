//! What a certificate says, read once into types.
//!
//! Parsing here proves nothing about trust: rustls has verified the chain before, or the caller only wants to look (a renewal
//! decision, a table for a person). Certificates come from outside, so every field is bounded by the TLS message that carried it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate};

use crate::{BACK_DATED, Fingerprint, Roles};

/// The names and addresses a serving certificate answers for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Host names.
    pub names: BTreeSet<String>,
    /// Addresses.
    pub addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// What every node answers for from itself: `localhost` and both loopback addresses.
    pub fn loopback() -> Self {
        Self {
            names: BTreeSet::from(["localhost".to_owned()]),
            addresses: BTreeSet::from([
                IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
                IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            ]),
        }
    }
}

/// What a certificate is good for, as its extended key usage says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Asking others.
    pub client: bool,
    /// Answering them.
    pub server: bool,
}

impl Usage {
    /// Asking alone.
    pub const CLIENT: Self = Self {
        client: true,
        server: false,
    };
    /// Answering alone.
    pub const SERVER: Self = Self {
        client: false,
        server: true,
    };
    /// Both.
    pub const BOTH: Self = Self {
        client: true,
        server: true,
    };
}

/// The facts of one X.509 certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The subject's common name; empty when it has none.
    pub subject: String,
    /// The subject's organisations, in their order; Kubernetes takes them as groups.
    pub organizations: Vec<String>,
    /// The roles among them.
    pub roles: Roles,
    /// The serial number, hexadecimal.
    pub serial: String,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// The subject's alternative names.
    pub names: Names,
    /// Whether it may sign others.
    pub authority: bool,
    /// What its holder may prove itself as.
    pub usage: Usage,
    /// The identifier of its key; empty where it has none.
    pub key_id: Vec<u8>,
    /// The identifier of the key that signed it; empty where it does not say.
    pub signer_id: Vec<u8>,
    /// The hash of its key.
    pub fingerprint: Fingerprint,
}

/// A certificate could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The text holds no certificate.
    #[error("find a certificate in the text; it must hold a PEM block BEGIN CERTIFICATE")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// The bytes are not X.509.
    #[error("read the certificate as X.509; make it again with `osctl gen`")]
    Der(#[source] x509_parser::error::X509Error),
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(CertificateError::Pem)?;
        Self::from_der(&der)
    }

    /// Reads a certificate.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (_, x509) = x509_parser::parse_x509_certificate(der).map_err(|error| {
            CertificateError::Der(match error {
                x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => {
                    error
                }
                x509_parser::nom::Err::Incomplete(_) => {
                    x509_parser::error::X509Error::InvalidCertificate
                }
            })
        })?;
        let organizations = x509.subject().iter_organization();
        let organizations: Vec<String> = organizations
            .filter_map(|value| value.as_str().ok())
            .map(str::to_owned)
            .collect();
        let (key_id, signer_id) = key_ids(&x509);
        Ok(Self {
            subject: x509
                .subject()
                .iter_common_name()
                .find_map(|name| name.as_str().ok())
                .unwrap_or_default()
                .to_owned(),
            roles: Roles::from_organizations(organizations.iter().map(String::as_str)),
            organizations,
            serial: x509.raw_serial_as_string().replace(':', ""),
            not_before: timestamp(x509.validity().not_before.timestamp()),
            not_after: timestamp(x509.validity().not_after.timestamp()),
            names: alternative_names(&x509),
            authority: x509.is_ca(),
            usage: usage(&x509),
            key_id,
            signer_id,
            fingerprint: Fingerprint::of_spki(x509.public_key().raw),
        })
    }

    /// Whether it holds at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// When half of its life since its issue is over: the moment for the next one.
    pub fn half_life(&self) -> Timestamp {
        let issued = self.not_before.checked_add(BACK_DATED);
        let issued = issued.unwrap_or(self.not_after);
        let half = self.not_after.duration_since(issued) / 2;
        issued.checked_add(half).unwrap_or(self.not_after)
    }
}

fn usage(x509: &X509Certificate<'_>) -> Usage {
    let Ok(Some(extension)) = x509.extended_key_usage() else {
        return Usage::default();
    };
    Usage {
        client: extension.value.client_auth,
        server: extension.value.server_auth,
    }
}

/// The identifiers of the certificate's own key and of the key that signed it.
fn key_ids(x509: &X509Certificate<'_>) -> (Vec<u8>, Vec<u8>) {
    let (mut own, mut signer) = (Vec::new(), Vec::new());
    for extension in x509.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => own = id.0.to_vec(),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                signer = id
                    .key_identifier
                    .as_ref()
                    .map_or(Vec::new(), |it| it.0.to_vec());
            }
            _ => {}
        }
    }
    (own, signer)
}

/// Dates outside the calendar count as its edges: 9999-12-31 is what certificates without an end carry, two hours past ours.
fn timestamp(seconds: i64) -> Timestamp {
    let edge = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(edge)
}

fn alternative_names(x509: &X509Certificate<'_>) -> Names {
    let mut all = Names::default();
    let Ok(Some(extension)) = x509.subject_alternative_name() else {
        return all;
    };
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(name) => {
                all.names.insert((*name).to_owned());
            }
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
                all.addresses.extend(address.ok());
            }
            _ => {}
        }
    }
    all
}
