//! The 128-bit identifiers of partition tables and file systems.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An identifier, its bytes in the order in which it is written (RFC 9562).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Guid([u8; 16]);

/// A text that is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no identifier, such as c12a7328-f81f-11d2-ba4b-00a0c93ec93b")]
pub(super) struct GuidError(String);

/// Where the hyphens of a written one stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Guid {
    /// Of a number, whose highest byte is written first.
    #[must_use]
    pub(super) const fn new(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// Of random bytes: a version 4 one.
    #[must_use]
    pub(super) const fn random(bytes: [u8; 16]) -> Self {
        const VERSION: u128 = 0xf000 << 64;
        const VARIANT: u128 = 0xc000 << 48;
        let number = u128::from_be_bytes(bytes);
        Self::new((number & !VERSION & !VARIANT) | (0x4000 << 64) | (0x8000 << 48))
    }

    /// As partition tables have it: the first three groups with their lowest byte first (UEFI 2.10, appendix A).
    #[must_use]
    pub(super) fn on_disk(self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0;
        let [i, j, k, l, m, n, o, p] = rest;
        [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
    }

    /// From a partition table.
    #[must_use]
    pub(super) fn from_disk(bytes: [u8; 16]) -> Self {
        // Turning the groups around twice is no change.
        Self(Self(bytes).on_disk())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Self, GuidError> {
        let refuse = || GuidError(text.to_owned());
        let hyphens = text.char_indices().filter(|(_, it)| *it == '-');
        if text.len() != 36 || !hyphens.map(|(at, _)| at).eq(HYPHENS) {
            return Err(refuse());
        }
        let digits = text.replace('-', "");
        let plain = digits.bytes().all(|it| it.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).map_err(|_| refuse())?;
        plain.then_some(Self::new(number)).ok_or_else(refuse)
    }
}

impl TryFrom<String> for Guid {
    type Error = GuidError;

    fn try_from(text: String) -> Result<Self, GuidError> {
        text.parse()
    }
}

impl From<Guid> for String {
    fn from(guid: Guid) -> Self {
        guid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_written_and_stored_as_others_do() {
        let text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
        let guid: Guid = text.parse().unwrap();
        assert_eq!(guid, Guid::new(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b));
        // As `sfdisk` writes an EFI system partition.
        let stored = *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";
        assert_eq!(guid.on_disk(), stored);
        for wrong in [
            "",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93g",
            "+12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            "c12a7328f-81f-11d2-ba4b-00a0c93ec93b",
        ] {
            assert!(wrong.parse::<Guid>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written(bytes: [u8; 16]) {
            let guid = Guid::random(bytes);
            prop_assert_eq!(guid.to_string().parse::<Guid>().unwrap(), guid);
            prop_assert_eq!(Guid::from_disk(guid.on_disk()), guid);
            let text = guid.to_string();
            prop_assert_eq!(text.get(14..15), Some("4"));
            prop_assert!(matches!(text.get(19..20), Some("8" | "9" | "a" | "b")));
        }
    }
}
