//! Amounts as Kubernetes writes them: of processors, and of bytes.

use std::fmt;
use std::str::FromStr;

use crate::schema::{Schema, Shape};

/// How much of the processors: whole ones, or thousandths of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cpu(u32);

/// How many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(u64);

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not of processors.
    #[error("`{0}` is no amount of processors, like 2 for two or 500m for a half")]
    Cpu(String),
    /// Not of bytes.
    #[error("`{0}` is no amount of bytes, like 512Mi or 2Gi")]
    Bytes(String),
    /// Bytes as everybody else writes them.
    #[error("Kubernetes writes bytes without the B: {0}")]
    WithB(String),
}

/// The units of bytes, those that amounts are written in first, the largest first.
const UNITS: [(&str, u64); 8] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

impl Cpu {
    /// So many thousandths of a processor.
    #[must_use]
    pub const fn milli(thousandths: u32) -> Self {
        Self(thousandths)
    }

    /// In thousandths of a processor.
    #[must_use]
    pub fn as_milli(self) -> u32 {
        self.0
    }
}

impl Bytes {
    /// So many MiB.
    #[must_use]
    pub const fn mebi(count: u32) -> Self {
        Self((count as u64) << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Digits alone: `+5` is a number elsewhere.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    let all = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

impl FromStr for Cpu {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let milli = match text.strip_suffix('m') {
            Some(milli) => digits::<u32>(milli),
            None => digits::<u32>(text).and_then(|it| it.checked_mul(1000)),
        };
        let milli = milli.ok_or_else(|| QuantityError::Cpu(text.to_owned()))?;
        Ok(Self(milli))
    }
}

impl FromStr for Bytes {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bytes = UNITS.iter().find_map(|(unit, size)| {
            let count = digits::<u64>(text.strip_suffix(unit)?)?;
            count.checked_mul(*size)
        });
        let bytes = bytes.or_else(|| digits(text));
        bytes.map(Self).ok_or_else(|| {
            let without = text.strip_suffix('B').filter(|it| it.ends_with('i'));
            match without.map(Self::from_str) {
                Some(Ok(it)) => QuantityError::WithB(it.to_string()),
                _ => QuantityError::Bytes(text.to_owned()),
            }
        })
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => (self.0 / 1000).fmt(f),
            _ => write!(f, "{}m", self.0),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, size): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*size);
        match UNITS.iter().find(whole) {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => self.0.fmt(f),
        }
    }
}

impl Schema for Cpu {
    fn shape() -> Shape {
        Shape::Scalar {
            about: "Processors, like 2 or 500m.".to_owned(),
        }
    }
}

impl Schema for Bytes {
    fn shape() -> Shape {
        Shape::Scalar {
            about: "Bytes, like 512Mi or 2Gi.".to_owned(),
        }
    }
}

super::as_text!(Cpu);
super::as_text!(Bytes);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts() {
        for (text, milli, shown) in [("50m", 50, "50m"), ("2", 2000, "2"), ("1000m", 1000, "1")] {
            let cpu: Cpu = text.parse().unwrap();
            assert_eq!((cpu.as_milli(), cpu.to_string().as_str()), (milli, shown));
        }
        for text in ["", "m", "1.5", "+1", "-1", "1 ", "5000000", "50M"] {
            let error = text.parse::<Cpu>();
            assert_eq!(error, Err(QuantityError::Cpu(text.to_owned())));
        }
        for (text, bytes, shown) in [
            ("512Mi", 512 << 20, "512Mi"),
            ("1024Mi", 1 << 30, "1Gi"),
            ("500M", 500_000_000, "500M"),
            ("1025", 1025, "1025"),
            ("0Gi", 0, "0"),
        ] {
            let amount: Bytes = text.parse().unwrap();
            assert_eq!((amount.get(), amount.to_string().as_str()), (bytes, shown));
        }
        for text in ["", "Mi", "1.5Gi", "512MB", "512mi", "20000000Ti", "-1"] {
            let error = text.parse::<Bytes>();
            assert_eq!(error, Err(QuantityError::Bytes(text.to_owned())));
        }
        let with = "512MiB".parse::<Bytes>();
        assert_eq!(with, Err(QuantityError::WithB("512Mi".to_owned())));
    }

    proptest! {
        #[test]
        fn amounts_read_back(cpu: u32, bytes: u64) {
            prop_assert_eq!(Cpu(cpu).to_string().parse(), Ok(Cpu(cpu)));
            prop_assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
        }
    }
}
