//! The keys that all control planes of a cluster have in common.

use data_encoding::BASE64;
use rcgen::{KeyPair, PublicKeyData as _};

use crate::{Fingerprint, Secret};

/// How many bytes such a key has: what AES-256 takes.
const SHARED_BYTES: usize = 32;

/// What the tokens of service accounts are signed with, ECDSA on P-256: such tokens are small, and quickly made and checked.
pub struct ServiceAccountKey {
    key: KeyPair,
    private: Secret<String>,
}

/// A shared key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SharedKeyError {
    /// Making a key failed.
    #[error("make the key of service accounts")]
    Make(#[source] rcgen::Error),
    /// A key that was given is none that tokens can be signed with.
    #[error(
        "read the key of service accounts; it must be an unencrypted PEM block BEGIN PRIVATE KEY"
    )]
    Read(#[source] rcgen::Error),
    /// The kernel gave no random bytes.
    #[error("get random bytes for a key of the cluster")]
    Random,
}

impl ServiceAccountKey {
    /// Makes a new one.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, SharedKeyError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256);
        key.map(Self::of).map_err(SharedKeyError::Make)
    }

    /// Takes a private key, PEM.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn from_pem(private: &str) -> Result<Self, SharedKeyError> {
        let key = KeyPair::from_pem(private);
        key.map(Self::of).map_err(SharedKeyError::Read)
    }

    fn of(key: KeyPair) -> Self {
        let private = Secret::new(key.serialize_pem());
        Self { key, private }
    }

    /// The private key, PEM: whoever signs tokens needs it.
    pub fn private_pem(&self) -> &Secret<String> {
        &self.private
    }

    /// The public part of it, PEM: whoever checks tokens needs it.
    pub fn public_pem(&self) -> String {
        self.key.public_key_pem()
    }

    /// The hash of the public part.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_spki(&self.key.subject_public_key_info())
    }
}

impl std::fmt::Debug for ServiceAccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceAccountKey")
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// Makes a key that is known to several nodes and is nothing but chance: 32 bytes in base64. Secrets at rest are encrypted with one, as an
/// `EncryptionConfiguration` has it, and workers join with another one.
///
/// # Errors
/// When the random source fails.
pub fn shared_key() -> Result<Secret<String>, SharedKeyError> {
    let mut bytes = Secret::new([0; SHARED_BYTES]);
    aws_lc_rs::rand::fill(bytes.expose_mut()).map_err(|_| SharedKeyError::Random)?;
    Ok(Secret::new(BASE64.encode(bytes.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_key_reads_back_and_shows_its_public_part_alone() {
        let key = ServiceAccountKey::generate().unwrap();
        let again = ServiceAccountKey::from_pem(key.private_pem().expose()).unwrap();
        assert_eq!(again.public_pem(), key.public_pem());
        let public = key.public_pem();
        assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"), "{public}");
        let other = ServiceAccountKey::generate().unwrap();
        assert_ne!(other.fingerprint(), key.fingerprint());
        assert!(!format!("{key:?}").contains("PRIVATE"));
        assert!(ServiceAccountKey::from_pem(&public).is_err());
    }

    #[test]
    fn a_shared_key_is_32_bytes_by_chance() {
        let (one, two) = (shared_key().unwrap(), shared_key().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(BASE64.decode(one.expose().as_bytes()).unwrap().len(), 32);
    }
}
