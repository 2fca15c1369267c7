//! The size of a disk as people write it.

use std::fmt;
use std::str::FromStr;

/// What a size is counted in, and how many bytes that is.
const UNITS: [(&str, u64); 3] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20)];

/// The size of a disk in bytes; zero where there shall be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(u64);

/// A text is no size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("use a whole number of MiB, GiB or TiB, such as 4GiB or 100GiB, or 0 for no disk")]
pub(super) struct SizeError;

impl Size {
    /// No disk.
    pub(super) const NONE: Self = Self(0);

    /// So many GiB.
    pub(super) const fn gib(count: u32) -> Self {
        // Widening; `From` is not const.
        Self((count as u64) << 30)
    }

    /// In bytes, when there shall be a disk.
    pub(super) fn bytes(self) -> Option<u64> {
        (self != Self::NONE).then_some(self.0)
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" {
            return Ok(Self::NONE);
        }
        let end = text
            .find(|letter: char| !letter.is_ascii_digit())
            .ok_or(SizeError)?;
        let (count, unit) = text.split_at(end);
        let known = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, bytes) = known.ok_or(SizeError)?;
        let count: u64 = count.parse().map_err(|_| SizeError)?;
        count.checked_mul(*bytes).map(Self).ok_or(SizeError)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS
            .iter()
            .find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        match whole {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_said_alike() {
        for (text, bytes) in [
            ("0", None),
            ("512MiB", Some(512 << 20)),
            ("10GiB", Some(10 << 30)),
            ("3TiB", Some(3 << 40)),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string()), (bytes, text.to_owned()));
        }
        assert_eq!("10gib".parse(), Ok(Size::gib(10)));
        assert_eq!("0GiB".parse(), Ok(Size::NONE));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "10",
            "GiB",
            "-1GiB",
            "1.5GiB",
            "10GB",
            "10 GiB",
            "99999999TiB",
            "99999999999999999999MiB",
        ] {
            assert_eq!(text.parse::<Size>(), Err(SizeError), "{text:?}");
        }
    }
}
