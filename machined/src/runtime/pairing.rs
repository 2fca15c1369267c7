//! The key and the secret of maintenance mode, kept across our death: a person may be typing the pairing string.
//!
//! They live in memory under `/run`, for root alone, as long as the machine is on. What is missing or damaged is made
//! anew; the console then shows another string.

use std::io;
use std::path::{Path, PathBuf};

use pki::pairing::{NoRandomness, PairingSecret, PairingString};
use pki::{Identity, IssueError};
use thiserror::Error;
use tokio::sync::watch;

use crate::config::{Disk, DiskError, Files};

/// The certificate of the key.
const CERTIFICATE: &str = "certificate.pem";
/// The key, written before its certificate.
const KEY: &str = "key.pem";
/// The secret.
const SECRET: &str = "secret";
/// What a file is called until it is whole.
const UNFINISHED: &str = "unfinished";

/// Why there is nothing to pair with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PairingError {
    /// The folder.
    #[error("keeping the key of maintenance mode")]
    Folder(#[source] DiskError),
    /// A file.
    #[error("keeping {0}")]
    Keep(PathBuf, #[source] io::Error),
    /// The key.
    #[error("making the key of maintenance mode")]
    Identity(#[source] IssueError),
    /// Randomness.
    #[error("making a pairing string")]
    Random(#[source] NoRandomness),
}

/// Where key and secret are kept.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    files: Disk,
}

impl Kept {
    /// Keeps them in `folder`, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: &Path) -> Result<Self, PairingError> {
        Ok(Self {
            folder: folder.to_owned(),
            files: Disk::open(folder).map_err(PairingError::Folder)?,
        })
    }

    /// The identity of our former life, or a new one.
    ///
    /// # Errors
    /// A new one cannot be made or kept.
    pub fn identity(&mut self) -> Result<Identity, PairingError> {
        let kept = self.read(CERTIFICATE).zip(self.read(KEY));
        let kept = kept.and_then(|(certificate, key)| Identity::from_pem(&certificate, &key).ok());
        if let Some(identity) = kept {
            return Ok(identity);
        }
        let made = pki::maintenance_identity().map_err(PairingError::Identity)?;
        self.keep(KEY, made.key_pem().expose())?;
        self.keep(CERTIFICATE, made.certificate_pem())?;
        Ok(made)
    }

    /// The secret of our former life, or a new one.
    ///
    /// # Errors
    /// A new one cannot be made or kept.
    pub fn secret(&mut self) -> Result<PairingSecret, PairingError> {
        if let Some(secret) = self.read(SECRET).and_then(|text| text.parse().ok()) {
            return Ok(secret);
        }
        let made = PairingSecret::random().map_err(PairingError::Random)?;
        self.keep(SECRET, &made.reveal())?;
        Ok(made)
    }

    /// Keeps every secret that takes the place of the one before, for ever. Cancel-safe: a secret is kept whole or not.
    pub async fn follow(mut self, mut shown: watch::Receiver<PairingString>) {
        while shown.changed().await.is_ok() {
            let secret = shown.borrow_and_update().secret.reveal();
            if let Err(error) = self.keep(SECRET, &secret) {
                tracing::error!("{}", cosi::report(&error));
            }
        }
    }

    fn read(&self, name: &str) -> Option<String> {
        String::from_utf8(self.files.read(name).ok()?).ok()
    }

    fn keep(&mut self, name: &str, text: &str) -> Result<(), PairingError> {
        let mut steps = || {
            self.files.write(UNFINISHED, text.as_bytes())?;
            self.files.rename(UNFINISHED, name)
        };
        steps().map_err(|source| PairingError::Keep(self.folder.join(name), source))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pki::pairing::Pin;

    use super::*;

    fn kept(folder: &Path) -> (String, String) {
        let mut kept = Kept::open(folder).expect("a folder");
        let identity = kept.identity().expect("an identity");
        let secret = kept.secret().expect("a secret");
        (
            identity.certificate().fingerprint.to_string(),
            secret.reveal(),
        )
    }

    #[test]
    fn the_next_life_shows_the_same_string() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("pairing");
        let first = kept(&folder);
        assert_eq!(kept(&folder), first);
        for name in [CERTIFICATE, KEY, SECRET] {
            std::fs::write(folder.join(name), "half").expect("damaged");
            let other = kept(&folder);
            assert_eq!(kept(&folder), other, "{name} is whole again");
        }
        assert_ne!(kept(&folder), first);
    }

    #[tokio::test]
    async fn a_secret_that_took_the_place_of_another_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut keeper = Kept::open(folder.path()).expect("a folder");
        let identity = keeper.identity().expect("an identity");
        let pin = Pin::of(&identity.certificate().fingerprint);
        let secret = keeper.secret().expect("a secret");
        let (tell, shown) = watch::channel(PairingString { pin, secret });
        let new = PairingSecret::from_bytes([7; 5]);
        tell.send_replace(PairingString {
            pin,
            secret: new.clone(),
        });
        drop(tell);
        let followed = tokio::time::timeout(Duration::from_secs(10), keeper.follow(shown));
        followed.await.expect("it ends with its source");
        assert_eq!(kept(folder.path()).1, new.reveal());
    }
}
