//! What tells a content from every other.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

/// A digit stands for four bits.
const DIGITS: usize = 64;

/// A SHA-256 in 64 digits of 0-9 and a-f, as `sha256sum` writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct Sha256(String);

/// Why a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is {DIGITS} digits of 0-9 and a-f, as `sha256sum FILE` writes it")]
pub struct Sha256Error;

impl Sha256 {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sha256 {
    type Err = Sha256Error;

    fn from_str(text: &str) -> Result<Self, Sha256Error> {
        let digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        match text.len() == DIGITS && text.bytes().all(digit) {
            true => Ok(Self(text.to_owned())),
            false => Err(Sha256Error),
        }
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(Sha256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        let good = "0123456789abcdef".repeat(4);
        assert_eq!(good.parse::<Sha256>().unwrap().as_str(), good);
        for bad in [
            "",
            "0123",
            &good.to_uppercase(),
            &format!("{good}0"),
            &"g".repeat(64),
        ] {
            assert_eq!(bad.parse::<Sha256>(), Err(Sha256Error), "{bad}");
        }
    }
}
