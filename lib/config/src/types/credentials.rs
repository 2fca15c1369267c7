//! A user and a password, as they are sent with requests (RFC 7617).
//!
//! A password never shows itself: no message repeats it, and there is no `Display`.

use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};

/// As long as anybody makes one, tokens included, and short enough for the header that it travels in.
const MAX_BYTES: usize = 4096;

/// The name of a user: one line without `:`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Schema)]
#[schema(text)]
pub struct Username(String);

/// A password, or a token that stands for one: one line.
///
/// In a redacted document it is what stands for the password, which cannot be read back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(try_from = "String", into = "String")]
#[schema(text, secret)]
pub struct Password(String);

/// Why a text cannot be sent as a user or a password. No variant repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// What an output has in the place of a secret.
    #[error("a redacted secret cannot be read back; put the real password here")]
    Redacted,
    /// Nothing there.
    #[error("a user and a password must not be empty")]
    Empty,
    /// Longer than a header takes.
    #[error("a user or a password has at most {MAX_BYTES} bytes, this one has {0}")]
    Long(usize),
    /// A line break or the like.
    #[error(
        "a user or a password is one line without control characters; write it behind the colon, in quotes"
    )]
    Control,
    /// What parts the two.
    #[error("the name of a user has no `:`; the password goes into `password`")]
    Colon,
}

fn sendable(text: &str) -> Result<(), CredentialsError> {
    if text.is_empty() {
        return Err(CredentialsError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(CredentialsError::Long(text.len()));
    }
    match text.chars().any(char::is_control) {
        true => Err(CredentialsError::Control),
        false => Ok(()),
    }
}

impl Username {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        sendable(text)?;
        match text.contains(':') {
            true => Err(CredentialsError::Colon),
            false => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(Username);

impl Password {
    /// The password.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What a redacted document holds; it cannot be read back.
    pub(crate) fn redacted() -> Self {
        Self(crate::REDACTED.to_owned())
    }
}

impl FromStr for Password {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self, CredentialsError> {
        if text == crate::REDACTED {
            return Err(CredentialsError::Redacted);
        }
        sendable(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Password {
    type Error = CredentialsError;

    fn try_from(text: String) -> Result<Self, CredentialsError> {
        text.parse()
    }
}

impl From<Password> for String {
    fn from(password: Password) -> Self {
        password.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords() {
        for user in ["node", "robot$pull+all", "Änne", "a b"] {
            assert_eq!(user.parse::<Username>().map(|it| it.0), Ok(user.to_owned()));
        }
        for password in ["1", "a:b", "hunter 2", "'\"\\{}"] {
            let read: Password = password.parse().unwrap();
            assert_eq!(read.reveal(), password);
            assert_eq!(format!("{read:?}"), crate::REDACTED);
        }
    }

    #[test]
    fn no_users_and_no_passwords() {
        let long = "a".repeat(MAX_BYTES + 1);
        for (text, error) in [
            ("", CredentialsError::Empty),
            ("a\nb", CredentialsError::Control),
            ("a\n", CredentialsError::Control),
            (&long, CredentialsError::Long(MAX_BYTES + 1)),
        ] {
            assert_eq!(text.parse::<Username>(), Err(error), "{text:?}");
            assert_eq!(text.parse::<Password>(), Err(error), "{text:?}");
        }
        assert_eq!("a:b".parse::<Username>(), Err(CredentialsError::Colon));
        let redacted = crate::REDACTED.parse::<Password>();
        assert_eq!(redacted, Err(CredentialsError::Redacted));
    }
}
