//! The name of a document that nothing outside the config is called by.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

/// As a label of DNS (RFC 1035, section 2.3.4): it can stand in file names, in ids, and in a path of a patch as it is.
const MAX_BYTES: usize = 63;

/// A name that tells documents of one kind apart: lower-case letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct DocumentName(String);

/// Why a text is no name of a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentNameError {
    /// Nothing there.
    #[error("a name must not be empty")]
    Empty,
    /// Too long.
    #[error("a name has at most {MAX_BYTES} bytes, this one has {0}")]
    Long(usize),
    /// A character that a name has not.
    #[error("a name has only lower-case letters, digits and `-`, not {0:?}")]
    Character(char),
    /// `-` at an end.
    #[error("no name begins or ends with `-`: `{0}`")]
    Hyphen(String),
}

impl DocumentName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentName {
    type Err = DocumentNameError;

    fn from_str(text: &str) -> Result<Self, DocumentNameError> {
        let refused = |it: &char| !it.is_ascii_lowercase() && !it.is_ascii_digit() && *it != '-';
        if text.is_empty() {
            return Err(DocumentNameError::Empty);
        }
        if let Some(character) = text.chars().find(refused) {
            return Err(DocumentNameError::Character(character));
        }
        if text.len() > MAX_BYTES {
            return Err(DocumentNameError::Long(text.len()));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(DocumentNameError::Hyphen(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(DocumentName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "corporate-ca", "2026"] {
            assert_eq!(
                name.parse::<DocumentName>().map(|it| it.to_string()),
                Ok(name.to_owned())
            );
        }
        for (name, error) in [
            ("", DocumentNameError::Empty),
            ("A", DocumentNameError::Character('A')),
            ("a/b", DocumentNameError::Character('/')),
            ("-a", DocumentNameError::Hyphen("-a".to_owned())),
        ] {
            assert_eq!(name.parse::<DocumentName>(), Err(error), "{name}");
        }
        let long = "a".repeat(64).parse::<DocumentName>();
        assert_eq!(long, Err(DocumentNameError::Long(64)));
    }
}
