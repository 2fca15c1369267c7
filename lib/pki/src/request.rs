//! Requests for certificates: a node makes a key, and asks an authority that it does not hold itself.
//!
//! A request proves that its sender holds the key at this moment, since a challenge of the receiver is signed with it. What the
//! certificate will say is the issuer's choice alone. A request that says anything but its [`Subject`] is refused, not cut down: who
//! asks for more than there is to get is no node of ours.

use std::fmt;

use data_encoding::HEXLOWER;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, KeyPair,
    PublicKey, PublicKeyData as _,
};
use rustls_pki_types::CertificateSigningRequestDer;

use crate::pairing::NoRandomness;
use crate::{Fingerprint, Secret};

/// Twice what a request with the longest name has.
const LONGEST: usize = 1024;

/// A point of P-256 as it is written in full: a byte for the form, and two numbers of 32.
const POINT: usize = 65;

/// The attribute `serialNumber` of a name (X.520, 6.2.9). It has room for 64 characters, which a challenge in hexadecimal fills.
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

/// A private key that a node has made for itself, ECDSA on P-256.
pub struct Key {
    pair: KeyPair,
    pem: Secret<String>,
}

/// What whoever issues wants to see signed: 32 random bytes, for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

/// All that a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The name that the node asks for.
    pub name: &'a str,
    /// What the certificate is for, so that no request is good for another one.
    pub purpose: &'a str,
    /// What it answers to.
    pub challenge: &'a Challenge,
}

/// A request that was read: a key, whose holder asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    key: PublicKey,
}

/// A request, or a key for one, is unusable.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Making a key failed.
    #[error("make a private key")]
    Make(#[source] rcgen::Error),
    /// What was kept is no key.
    #[error("read a private key; it must be an unencrypted PEM block BEGIN PRIVATE KEY")]
    Key(#[source] rcgen::Error),
    /// Signing it failed.
    #[error("sign a request for a certificate")]
    Sign(#[source] rcgen::Error),
    /// It is too long to be one of ours.
    #[error("a request for a certificate has at most {LONGEST} bytes, not {0}")]
    Long(usize),
    /// It is none, or its signature is not by its key.
    #[error("read a request for a certificate (PKCS #10)")]
    Read(#[source] rcgen::Error),
    /// Its key is of another kind.
    #[error("a request for a certificate must be signed by an ECDSA key on P-256")]
    Kind,
    /// It says something else.
    #[error(
        "the request for the certificate of {purpose} asks for another name, or for more than a name, or answers to another challenge"
    )]
    Subject {
        /// What it should be for.
        purpose: String,
    },
}

impl Key {
    /// Makes a new one.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, RequestError> {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256);
        pair.map(Self::of).map_err(RequestError::Make)
    }

    /// Takes one, PEM.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn from_pem(pem: &str) -> Result<Self, RequestError> {
        let pair = KeyPair::from_pem_and_sign_algo(pem, &rcgen::PKCS_ECDSA_P256_SHA256);
        pair.map(Self::of).map_err(RequestError::Key)
    }

    fn of(pair: KeyPair) -> Self {
        let pem = Secret::new(pair.serialize_pem());
        Self { pair, pem }
    }

    /// The key, PEM.
    pub fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// The hash of its public part.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_spki(&self.pair.subject_public_key_info())
    }

    /// A request, DER.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn request(&self, subject: &Subject<'_>) -> Result<Vec<u8>, RequestError> {
        let request = subject.params().serialize_request(&self.pair);
        Ok(request.map_err(RequestError::Sign)?.der().to_vec())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

impl Challenge {
    /// A new one.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(bytes))
    }

    /// One that was received; `None` when it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Subject<'_> {
    fn params(&self) -> CertificateParams {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, self.name);
        name.push(DnType::OrganizationalUnitName, self.purpose);
        let challenge = HEXLOWER.encode(&self.challenge.0);
        name.push(DnType::CustomDnType(SERIAL_NUMBER.to_vec()), challenge);
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params
    }
}

impl Request {
    /// Takes a request that says just this, and whose signature is by its key.
    ///
    /// # Errors
    /// When it does not.
    pub fn read(der: &[u8], subject: &Subject<'_>) -> Result<Self, RequestError> {
        if der.len() > LONGEST {
            return Err(RequestError::Long(der.len()));
        }
        let der = CertificateSigningRequestDer::from(der);
        let read = CertificateSigningRequestParams::from_der(&der).map_err(RequestError::Read)?;
        let key = read.public_key;
        // The algorithm is that of the signature, which a key on another curve has no place in.
        if *key.algorithm() != rcgen::PKCS_ECDSA_P256_SHA256 || key.der_bytes().len() != POINT {
            return Err(RequestError::Kind);
        }
        if read.params != subject.params() {
            let purpose = subject.purpose.to_owned();
            return Err(RequestError::Subject { purpose });
        }
        Ok(Self { key })
    }

    /// The hash of the key.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_spki(&self.key.subject_public_key_info())
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }
}

#[cfg(test)]
mod tests;
