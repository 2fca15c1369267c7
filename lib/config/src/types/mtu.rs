//! The largest packet of a link.

use std::fmt;

use derive::Schema;
use serde::{Deserialize, Serialize};

/// RFC 791: what every IPv4 link must carry.
const SMALLEST: u32 = 68;
/// RFC 8200, section 5.
const SMALLEST_IPV6: u32 = 1280;
/// The largest IPv4 packet plus the loopback's one byte more.
const LARGEST: u32 = 65536;

/// A maximum transmission unit in bytes, 68 to 65536.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Schema,
)]
#[serde(try_from = "i64", into = "u32")]
#[schema(integer, least = SMALLEST, most = LARGEST)]
pub struct Mtu(u32);

/// Why a number is no MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an MTU is from {SMALLEST} to {LARGEST}, not {0}")]
pub struct MtuError(i64);

impl Mtu {
    /// The number of bytes.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// Whether IPv6 works over a link with this MTU.
    #[must_use]
    pub fn carries_ipv6(self) -> bool {
        self.0 >= SMALLEST_IPV6
    }
}

impl TryFrom<u32> for Mtu {
    type Error = MtuError;

    fn try_from(bytes: u32) -> Result<Self, MtuError> {
        if (SMALLEST..=LARGEST).contains(&bytes) {
            return Ok(Self(bytes));
        }
        Err(MtuError(bytes.into()))
    }
}

/// For numbers as they are written, which may be anything.
impl TryFrom<i64> for Mtu {
    type Error = MtuError;

    fn try_from(bytes: i64) -> Result<Self, MtuError> {
        let small = u32::try_from(bytes).map_err(|_| MtuError(bytes))?;
        small.try_into()
    }
}

impl From<Mtu> for u32 {
    fn from(mtu: Mtu) -> Self {
        mtu.0
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
