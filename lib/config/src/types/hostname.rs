//! The name of a node.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use derive::Schema;

/// RFC 1123, section 2.1: a name of up to 255 octets on the wire, 253 as text.
const MAX_BYTES: usize = 253;
/// RFC 1035, section 2.3.4; one less than the kernel keeps as a host name.
const MAX_LABEL_BYTES: usize = 63;

/// An RFC 1123 name in lower case, alone or with its domain; the first part fits the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct Hostname(String);

/// Why a text is no host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostnameError {
    /// Nothing there.
    #[error("a host name must not be empty")]
    Empty,
    /// Longer than DNS takes.
    #[error("a host name has at most {MAX_BYTES} bytes, this one has {0}")]
    Long(usize),
    /// An address is no name.
    #[error("`{0}` is an address, not a host name")]
    Address(IpAddr),
    /// Two dots in a row, or one at an end.
    #[error("a host name has no dot at its ends, and no two in a row")]
    EmptyLabel,
    /// A part longer than DNS takes.
    #[error("each part of a host name has at most {MAX_LABEL_BYTES} bytes, `{0}` has more")]
    LongLabel(String),
    /// Names are compared as bytes in too many places for two spellings of one name.
    #[error("a host name is written in lower case: `{0}`")]
    UpperCase(String),
    /// A character DNS does not take.
    #[error("a host name has only letters, digits, `-` and `.`, not {0:?}")]
    Character(char),
    /// `-` at the edge of a part.
    #[error("no part of a host name begins or ends with `-`: `{0}`")]
    Hyphen(String),
}

impl Hostname {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first part, and the domain; the domain may be empty.
    #[must_use]
    pub fn split(&self) -> (&str, &str) {
        self.0.split_once('.').unwrap_or((&self.0, ""))
    }
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        let refused = |it: &char| !it.is_ascii_alphanumeric() && !matches!(it, '-' | '.');
        if text.is_empty() {
            return Err(HostnameError::Empty);
        }
        if let Ok(address) = text.parse() {
            return Err(HostnameError::Address(address));
        }
        if let Some(character) = text.chars().find(refused) {
            return Err(HostnameError::Character(character));
        }
        if text.len() > MAX_BYTES {
            return Err(HostnameError::Long(text.len()));
        }
        if text.chars().any(|it| it.is_ascii_uppercase()) {
            return Err(HostnameError::UpperCase(text.to_ascii_lowercase()));
        }
        for label in text.split('.') {
            check_label(label)?;
        }
        Ok(Self(text.to_owned()))
    }
}

fn check_label(label: &str) -> Result<(), HostnameError> {
    if label.is_empty() {
        return Err(HostnameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL_BYTES {
        return Err(HostnameError::LongLabel(label.to_owned()));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(HostnameError::Hyphen(label.to_owned()));
    }
    Ok(())
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(Hostname);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "node-1", "1st", "node.example.org", "no"] {
            assert_eq!(
                name.parse::<Hostname>().map(|it| it.to_string()),
                Ok(name.to_owned())
            );
        }
        for (name, error) in [
            ("", HostnameError::Empty),
            ("10.0.0.1", HostnameError::Address([10, 0, 0, 1].into())),
            ("a..b", HostnameError::EmptyLabel),
            ("a.", HostnameError::EmptyLabel),
            ("Node", HostnameError::UpperCase("node".to_owned())),
            ("a_b", HostnameError::Character('_')),
            ("-a", HostnameError::Hyphen("-a".to_owned())),
        ] {
            assert_eq!(name.parse::<Hostname>(), Err(error), "{name}");
        }
        assert_eq!(
            "a.".repeat(127).parse::<Hostname>(),
            Err(HostnameError::Long(254))
        );
        assert_eq!(
            "a".repeat(64).parse::<Hostname>(),
            Err(HostnameError::LongLabel("a".repeat(64)))
        );
    }
}
