//! Certificates as PEM text.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::pem::{PemError, blocks};

/// One or more certificates in PEM, first the one that is meant, then what it hangs on.
#[derive(Clone, Debug, PartialEq, Eq, Schema)]
#[schema(text)]
pub struct Certificate(String);

impl Certificate {
    /// The PEM text.
    #[must_use]
    pub fn as_pem(&self) -> &str {
        &self.0
    }
}

impl FromStr for Certificate {
    type Err = PemError;

    fn from_str(text: &str) -> Result<Self, PemError> {
        blocks(text, "CERTIFICATE")?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(Certificate);
