//! Names of clusters and machines: one shape, fit for a folder, a host name and a QEMU option alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name: with a role and a number added it still fits a host name's 63.
const LONGEST: usize = 40;

/// A name of lower-case letters, digits and inner hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{text:?} is not a name: use 1 to {LONGEST} lower-case letters, digits and hyphens, with a letter or digit at both ends"
)]
pub struct NameError {
    text: String,
}

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = |edge: Option<u8>| edge.is_some_and(plain);
        let fine = text.len() <= LONGEST
            && ends(text.bytes().next())
            && ends(text.bytes().next_back())
            && text.bytes().all(|byte| plain(byte) || byte == b'-');
        fine.then(|| Self(text.to_owned()))
            .ok_or_else(|| NameError {
                text: text.to_owned(),
            })
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_everywhere() {
        for text in ["a", "cp-1", "0", "demo--x"] {
            assert_eq!(text.parse::<Name>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "-a",
            "a-",
            "A",
            "a/b",
            "..",
            "a,b",
            "ä",
            &"a".repeat(41),
        ] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
    }
}
