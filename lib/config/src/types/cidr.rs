//! Addresses with a prefix length, and networks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use derive::Schema;

/// An address of a host and the length of its network's prefix, like `10.0.0.2/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no address with a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// More than one.
    #[error("`{0}` is more than one address; commas part the items of a list")]
    Several(String),
    /// No `/`.
    #[error("`{0}` has no prefix length, as in `10.0.0.2/24`")]
    NoPrefix(String),
    /// The part before `/`.
    #[error("`{0}` is not an IPv4 or IPv6 address")]
    Address(String),
    /// The part after `/`.
    #[error("`/{0}` is not a prefix length from 0 to {1}")]
    Prefix(String, u8),
    /// An address that no host can have.
    #[error("{0} is not an address a host can have")]
    Unusable(IpAddr),
}

/// A network, like `10.0.0.0/24`: no bit is set past the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct Network(Cidr);

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not even an address with a prefix.
    #[error(transparent)]
    Cidr(#[from] CidrError),
    /// Bits past the prefix.
    #[error("{0} has bits set past its prefix; the network is {1}")]
    HostBits(Cidr, Network),
}

impl Cidr {
    /// An address and the length of its prefix.
    ///
    /// # Errors
    /// When the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, CidrError> {
        let longest = width(address);
        if prefix > longest {
            return Err(CidrError::Prefix(prefix.to_string(), longest));
        }
        Ok(Self { address, prefix })
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the prefix.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The network the address is in.
    #[must_use]
    pub fn network(&self) -> Network {
        Network(Self {
            address: mask(self.address, self.prefix),
            prefix: self.prefix,
        })
    }
}

impl Network {
    /// Everything in IPv4.
    pub const ALL_V4: Self = Self(Cidr {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        prefix: 0,
    });
    /// Everything in IPv6.
    pub const ALL_V6: Self = Self(Cidr {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        prefix: 0,
    });

    /// The first address of the network.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The length of the prefix.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.0.prefix
    }

    /// Whether `address` is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        width(address) == width(self.0.address) && mask(address, self.0.prefix) == self.0.address
    }

    /// Whether some address is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address()) || other.contains(self.address())
    }

    /// How many bits of an address tell its hosts apart.
    #[must_use]
    pub fn host_bits(&self) -> u8 {
        width(self.0.address) - self.0.prefix
    }

    /// The address that is so far behind the first; `None` past the last one.
    #[must_use]
    pub fn nth(&self, index: u32) -> Option<IpAddr> {
        let address = match self.0.address {
            IpAddr::V4(it) => Ipv4Addr::from_bits(it.to_bits().checked_add(index)?).into(),
            IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits().checked_add(index.into())?).into(),
        };
        self.contains(address).then_some(address)
    }
}

/// How many bits an address of this family has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with only its first `prefix` bits left.
fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(it) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(it.to_bits() & mask).into()
        }
        IpAddr::V6(it) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(it.to_bits() & mask).into()
        }
    }
}

/// Any address with any prefix.
fn parse(text: &str) -> Result<Cidr, CidrError> {
    let mut pieces = text.split([' ', ',']).filter(|it| !it.is_empty());
    if pieces.clone().count() > 1 && pieces.all(|it| one(it).is_ok()) {
        return Err(CidrError::Several(text.to_owned()));
    }
    one(text)
}

fn one(text: &str) -> Result<Cidr, CidrError> {
    let Some((address, prefix)) = text.split_once('/') else {
        return Err(CidrError::NoPrefix(text.to_owned()));
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(CidrError::Address(address.to_owned()));
    };
    let bad = || CidrError::Prefix(prefix.to_owned(), width(address));
    if !prefix.bytes().all(|it| it.is_ascii_digit()) {
        return Err(bad());
    }
    Cidr::new(address, prefix.parse().map_err(|_| bad())?)
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let cidr = parse(text)?;
        let broadcast = matches!(cidr.address, IpAddr::V4(it) if it.is_broadcast());
        if cidr.address.is_unspecified() || cidr.address.is_multicast() || broadcast {
            return Err(CidrError::Unusable(cidr.address));
        }
        Ok(cidr)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let cidr = parse(text)?;
        let network = cidr.network();
        if network.0 != cidr {
            return Err(NetworkError::HostBits(cidr, network));
        }
        Ok(network)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

super::as_text!(Cidr);
super::as_text!(Network);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refusals() {
        let error = |text: &str| text.parse::<Cidr>().map_err(|it| it.to_string());
        assert!(error("10.0.0.2").is_err());
        assert!(error("10.0.0.2/33").is_err());
        assert!(error("10.0.0.2/+8").is_err());
        assert!(error("10.0.0.256/8").is_err());
        assert!(error("0.0.0.0/0").is_err());
        assert!(error("ff02::1/64").is_err());
        assert!(error("fe80::1/129").is_err());
        assert_eq!(
            "10.1.2.3/8".parse::<Network>().map_err(|it| it.to_string()),
            Err("10.1.2.3/8 has bits set past its prefix; the network is 10.0.0.0/8".to_owned())
        );
        assert!("0.0.0.0/0".parse::<Network>().is_ok());
    }

    #[test]
    fn networks_overlap_and_count() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let wide = network("10.96.0.0/12");
        assert!(wide.overlaps(&network("10.100.0.0/16")));
        assert!(network("10.100.0.0/16").overlaps(&wide));
        assert!(!wide.overlaps(&network("10.112.0.0/16")));
        assert!(!network("::/0").overlaps(&network("0.0.0.0/0")));
        assert_eq!(
            (wide.host_bits(), network("fd00::/108").host_bits()),
            (20, 20)
        );
        assert_eq!(wide.nth(10), "10.96.0.10".parse().ok());
        assert_eq!(network("fd00::/112").nth(1), "fd00::1".parse().ok());
        assert_eq!(network("10.0.0.0/30").nth(3), "10.0.0.3".parse().ok());
        assert_eq!(network("10.0.0.0/30").nth(4), None);
        assert_eq!(network("255.255.255.255/32").nth(1), None);
    }

    proptest! {
        #[test]
        fn a_network_holds_its_addresses(address: IpAddr, prefix in 0u8..=128) {
            prop_assume!(prefix <= width(address));
            let cidr = Cidr::new(address, prefix).unwrap();
            prop_assert!(cidr.network().contains(address));
            prop_assert_eq!(cidr.network().to_string().parse::<Network>(), Ok(cidr.network()));
        }
    }
}
