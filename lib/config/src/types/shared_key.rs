//! Keys that nodes of a cluster have in common: what secrets at rest are encrypted with, what a worker joins with.
//!
//! It never shows itself, as a private key does not: no message repeats it, and there is no `Display`.

use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};

/// What 32 bytes are in base64: ten times four digits for three bytes, and three digits with a `=` for the last two.
const DIGITS: usize = 43;

/// The digits that two bytes end with: the last two of their six bits are 0.
const LAST: &[u8] = b"AEIMQUYcgkosw048";

/// 32 bytes in base64, as `openssl rand -base64 32` makes them.
///
/// In a redacted document it is what stands for the key, which cannot be read back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(try_from = "String", into = "String")]
#[schema(text, secret)]
pub struct SharedKey(String);

/// Why a text is no such key. No variant repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharedKeyError {
    /// What an output has in the place of a secret.
    #[error("a redacted secret cannot be read back; put the real key here")]
    Redacted,
    /// Anything else that is not 32 bytes.
    #[error(
        "the key is 32 bytes in base64, 44 characters of which the last is `=`; `openssl rand -base64 32` makes one"
    )]
    Shape,
}

impl SharedKey {
    /// The key in base64, as an `EncryptionConfiguration` of Kubernetes has it, too.
    #[must_use]
    pub fn as_base64(&self) -> &str {
        &self.0
    }

    /// What a redacted document holds; it cannot be read back.
    pub(crate) fn redacted() -> Self {
        Self(crate::REDACTED.to_owned())
    }
}

impl FromStr for SharedKey {
    type Err = SharedKeyError;

    fn from_str(text: &str) -> Result<Self, SharedKeyError> {
        if text == crate::REDACTED {
            return Err(SharedKeyError::Redacted);
        }
        let digit = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
        let digits = text.strip_suffix('=').unwrap_or_default().as_bytes();
        let last = digits.last().is_some_and(|it| LAST.contains(it));
        if digits.len() != DIGITS || !digits.iter().copied().all(digit) || !last {
            return Err(SharedKeyError::Shape);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for SharedKey {
    type Error = SharedKeyError;

    fn try_from(text: String) -> Result<Self, SharedKeyError> {
        text.parse()
    }
}

impl From<SharedKey> for String {
    fn from(key: SharedKey) -> Self {
        key.0
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for text in [
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "/////////////////////////////////////////+8=",
        ] {
            let key: SharedKey = text.parse().unwrap();
            assert_eq!(key.as_base64(), text);
            assert_eq!(format!("{key:?}"), crate::REDACTED);
        }
        for text in [
            "",
            "=",
            // 31 bytes, 33 bytes, and 32 in the digits of URLs.
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "__________________________________________8=",
            // More bits than 32 bytes have.
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        ] {
            assert_eq!(
                text.parse::<SharedKey>(),
                Err(SharedKeyError::Shape),
                "{text:?}"
            );
        }
        assert_eq!(
            crate::REDACTED.parse::<SharedKey>(),
            Err(SharedKeyError::Redacted)
        );
    }
}
