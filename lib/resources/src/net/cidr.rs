//! An address with its prefix length, as it is written: `192.0.2.7/24`.
//!
//! Owns the text form and its limits. A `Cidr` keeps its host bits: it stands for an address on a link as well as for the
//! destination of a route; `network` clears them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An address and the length of its prefix; the length never exceeds the family's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

/// Why a text is not an address with a prefix length.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CidrError {
    /// There is no `/`.
    #[error("{0:?} has no prefix length: write ADDRESS/LENGTH")]
    NoLength(String),
    /// The part before the `/` is no address.
    #[error("{0:?} does not start with an IP address")]
    BadAddress(String),
    /// The part after the `/` is no number or too large for the family.
    #[error("{text:?} has a prefix length that is not within 0 to {most}")]
    BadLength {
        /// What was given.
        text: String,
        /// The longest prefix of the address family.
        most: u8,
    },
}

impl Cidr {
    /// Every IPv4 address: the destination of a default route.
    pub const ALL_V4: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        length: 0,
    };
    /// Every IPv6 address: the destination of a default route.
    pub const ALL_V6: Self = Self {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        length: 0,
    };

    /// An address with a prefix length; `None` when the length exceeds the family's.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        (length <= most(address)).then_some(Self { address, length })
    }

    /// The address alone, with the longest prefix.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            length: most(address),
        }
    }

    /// The address, host bits and all.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits name the network.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.length
    }

    /// True for a prefix of length 0, the destination of a default route.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.length == 0
    }

    /// The same prefix without host bits.
    #[must_use]
    pub fn network(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(a) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length));
                IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask.unwrap_or(0)))
            }
            IpAddr::V6(a) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length));
                IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask.unwrap_or(0)))
            }
        };
        Self {
            address,
            length: self.length,
        }
    }

    /// True when `address` lies within this prefix.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && Self::new(address, self.length).is_some_and(|c| c.network() == self.network())
    }
}

fn most(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

store::text_scalar!(Cidr);

impl Default for Cidr {
    fn default() -> Self {
        Self::ALL_V4
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, length) = text
            .split_once('/')
            .ok_or_else(|| CidrError::NoLength(text.to_owned()))?;
        let address: IpAddr = address
            .parse()
            .map_err(|_| CidrError::BadAddress(text.to_owned()))?;
        // Digits only: `parse` would also take a leading `+`.
        Some(length)
            .filter(|l| l.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|l| l.parse().ok())
            .and_then(|l| Self::new(address, l))
            .ok_or_else(|| CidrError::BadLength {
                text: text.to_owned(),
                most: most(address),
            })
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;

    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_keeps_host_bits() {
        for text in [
            "192.0.2.7/24",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::1/64",
            "10.0.0.1/32",
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_texts_are_refused() {
        for text in [
            "",
            "192.0.2.7",
            "192.0.2.7/33",
            "::/129",
            "x/1",
            "1.2.3.4/",
            "1.2.3.4/+1",
            "1.2.3.4/1/1",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn network_clears_host_bits_at_every_length() {
        let net = |t: &str| t.parse::<Cidr>().unwrap().network().to_string();
        assert_eq!(net("192.0.2.7/24"), "192.0.2.0/24");
        assert_eq!(net("192.0.2.7/0"), "0.0.0.0/0");
        assert_eq!(net("192.0.2.7/32"), "192.0.2.7/32");
        assert_eq!(net("2001:db8::1/0"), "::/0");
        assert_eq!(net("2001:db8::1/33"), "2001:db8::/33");
    }

    #[test]
    fn contains_minds_family_and_length() {
        let c: Cidr = "192.0.2.7/24".parse().unwrap();
        assert!(c.contains("192.0.2.200".parse().unwrap()));
        assert!(!c.contains("192.0.3.1".parse().unwrap()));
        assert!(!c.contains("::".parse().unwrap()));
        assert!(!Cidr::ALL_V4.contains("::1".parse().unwrap()));
    }
}
