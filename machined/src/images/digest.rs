//! What content is called by: its SHA-256, in the form of the OCI image specification.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use thiserror::Error;

/// The name of the only algorithm, before the colon. The specification knows SHA-512 too; nobody's tools use it.
const ALGORITHM: &str = "sha256";

/// The bytes of a digest.
const LENGTH: usize = 32;

/// The digest of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest([u8; LENGTH]);

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Another algorithm, or none.
    #[error("a digest begins with {ALGORITHM}:")]
    Algorithm,
    /// Not the digits.
    #[error("behind {ALGORITHM}: belong 64 digits of 0-9 and a-f")]
    Digits,
}

impl Digest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Its digits, which are the name of its file in a bundle.
    #[must_use]
    pub fn digits(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}:{}", self.digits())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix(ALGORITHM);
        let digits = digits.and_then(|rest| rest.strip_prefix(':'));
        let digits = digits.ok_or(DigestError::Algorithm)?;
        let bytes = HEXLOWER.decode(digits.as_bytes());
        let bytes = bytes.map_err(|_| DigestError::Digits)?;
        bytes.try_into().map(Self).map_err(|_| DigestError::Digits)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

/// A digest on its way, of content that comes in pieces.
pub(crate) struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Hasher {
    /// Adds the next piece.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces.
    pub(crate) fn finish(self) -> Digest {
        let mut bytes = [0; LENGTH];
        // It is as long as that for this algorithm.
        for (byte, from) in bytes.iter_mut().zip(self.0.finish().as_ref()) {
            *byte = *from;
        }
        Digest(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_it_was_read() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest: Digest = empty.parse().unwrap();
        assert_eq!(digest.to_string(), empty);
        assert_eq!(digest, Digest::of(b""));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let of = |text: &str| text.parse::<Digest>().unwrap_err();
        assert_eq!(of(digits), DigestError::Algorithm);
        assert_eq!(of(&format!("sha512:{digits}")), DigestError::Algorithm);
        assert_eq!(of(&format!("SHA256:{digits}")), DigestError::Algorithm);
        for digits in [
            String::new(),
            digits.to_uppercase(),
            format!("{digits}00"),
            digits.replace('e', "/"),
            digits.replacen("e3", "..", 1),
        ] {
            assert_eq!(of(&format!("sha256:{digits}")), DigestError::Digits);
        }
    }
}
