//! What the kernel is told through a setting or a module's parameter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schema::{Schema, Shape};

/// One page less the closing zero: what the kernel takes of a parameter, and shows of most settings.
const MAX_BYTES: usize = 4095;

/// One line for the kernel. `true` and `false` stand for the `1` and `0` that it knows them by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KernelValue(String);

/// Why a text is no value for the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelValueError {
    /// Longer than the kernel takes.
    #[error("a value for the kernel has at most {MAX_BYTES} bytes, this one has {0}")]
    Long(usize),
    /// Ends the line, or the value: a parameter's quotes cannot be escaped.
    #[error("a value for the kernel is one line without quotes in it, not {0:?}")]
    Character(char),
}

impl KernelValue {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number that it is, written in the decimal digits that a number has and no others.
    fn integer(&self) -> Option<i64> {
        let number: i64 = self.0.parse().ok()?;
        (number.to_string() == self.0).then_some(number)
    }
}

impl Schema for KernelValue {
    fn shape() -> Shape {
        let about =
            format!("One line for the kernel of at most {MAX_BYTES} bytes, without quotes.");
        Shape::Scalar { about }
    }
}

impl FromStr for KernelValue {
    type Err = KernelValueError;

    fn from_str(text: &str) -> Result<Self, KernelValueError> {
        let refused = |it: &char| (it.is_control() && *it != '\t') || *it == '"';
        if text.len() > MAX_BYTES {
            return Err(KernelValueError::Long(text.len()));
        }
        match (text, text.chars().find(refused)) {
            (_, Some(character)) => Err(KernelValueError::Character(character)),
            ("true", None) => Ok(Self("1".to_owned())),
            ("false", None) => Ok(Self("0".to_owned())),
            (text, None) => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for KernelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KernelValue {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        // Numbers and truth values come as they are written.
        let text = String::deserialize(reader)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for KernelValue {
    /// A number as a number: it would else be written in quotes.
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self.integer() {
            Some(number) => writer.serialize_i64(number),
            None => writer.serialize_str(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_takes() {
        for (text, value) in [
            ("1", "1"),
            ("true", "1"),
            ("false", "0"),
            ("", ""),
            ("4096 131072\t6291456", "4096 131072\t6291456"),
        ] {
            let parsed: KernelValue = text.parse().expect(text);
            assert_eq!(parsed.as_str(), value);
        }
        for (text, error) in [
            ("1\n2", KernelValueError::Character('\n')),
            ("a\" b=\"c", KernelValueError::Character('"')),
        ] {
            assert_eq!(text.parse::<KernelValue>(), Err(error));
        }
        assert_eq!(
            "a".repeat(4096).parse::<KernelValue>(),
            Err(KernelValueError::Long(4096))
        );
    }
}
