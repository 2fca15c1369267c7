//! Private keys as PEM text.
//!
//! A key never shows itself: not in `Debug`, and there is no `Display`. Writing it out is the
//! one thing `Serialize` does, on a document that was not redacted.

use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::pem::{PemError, blocks};

/// One private key in PEM (PKCS #8).
///
/// In a redacted document it is what stands for the key, which cannot be read back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(try_from = "String", into = "String")]
#[schema(text, secret)]
pub struct PrivateKey(String);

impl PrivateKey {
    /// The PEM text.
    #[must_use]
    pub fn as_pem(&self) -> &str {
        &self.0
    }

    /// What a redacted document holds; it cannot be read back.
    pub(crate) fn redacted() -> Self {
        Self(crate::REDACTED.to_owned())
    }
}

impl FromStr for PrivateKey {
    type Err = PemError;

    fn from_str(text: &str) -> Result<Self, PemError> {
        match blocks(text, "PRIVATE KEY")? {
            1 => Ok(Self(text.to_owned())),
            many => Err(PemError::Many("PRIVATE KEY", many)),
        }
    }
}

impl TryFrom<String> for PrivateKey {
    type Error = PemError;

    fn try_from(text: String) -> Result<Self, PemError> {
        text.parse()
    }
}

impl From<PrivateKey> for String {
    fn from(key: PrivateKey) -> Self {
        key.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::REDACTED)
    }
}
