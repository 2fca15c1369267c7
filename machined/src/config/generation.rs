//! One config as it was applied, and the name of its file.
//!
//! The name carries number and SHA-256, so a file proves itself and nothing else needs to be right.

use std::fmt;
use std::str::FromStr;

use config::Documents;
use data_encoding::HEXLOWER;

use super::record::Record;

/// A config that was applied.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its number and hash.
    pub name: Name,
    /// The text exactly as it was given, secrets and comments included.
    pub text: String,
    /// What the text says.
    pub documents: Documents,
    /// What is known of it; `None` when that was lost.
    pub record: Option<Record>,
}

/// The number of a generation, counted from one and never used again, and the hash of its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    number: u64,
    hash: String,
}

/// Why a text is not the name of a generation's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a config generation")]
pub struct NameError;

impl Name {
    /// The name of a text under a number.
    #[must_use]
    pub fn new(number: u64, text: &str) -> Self {
        Self {
            number,
            hash: hash(text.as_bytes()),
        }
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The SHA-256 of the text in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The name of the file with what is known of it.
    pub(super) fn record(&self) -> String {
        format!("{}-{}.json", self.number, self.hash)
    }

    /// Whether these are the bytes the name was given for.
    pub(super) fn proves(&self, bytes: &[u8]) -> bool {
        hash(bytes) == self.hash
    }
}

fn hash(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    HEXLOWER.encode(digest.as_ref())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.yaml", self.number, self.hash)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (number, hash) = text
            .strip_suffix(".yaml")
            .and_then(|it| it.split_once('-'))
            .ok_or(NameError)?;
        let name = Self {
            number: number.parse().map_err(|_| NameError)?,
            hash: hash.to_owned(),
        };
        let well_formed = HEXLOWER
            .decode(hash.as_bytes())
            .is_ok_and(|it| it.len() == 32);
        // One spelling per name: no leading zeros, no signs.
        if !well_formed || name.to_string() != text {
            return Err(NameError);
        }
        Ok(name)
    }
}
