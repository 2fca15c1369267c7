//! Addresses on links.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
    AddressScope as RawScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::request::unless;
use crate::{Error, Netlink};

/// `EADDRNOTAVAIL` and `ENODEV`: the address, or the link under it, was gone already.
const GONE: [i32; 2] = [99, 19];

/// How far an address reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressScope {
    /// Everywhere.
    #[default]
    Global,
    /// Within the site.
    Site,
    /// On this link.
    Link,
    /// On this machine.
    Host,
    /// Nowhere, or a value of the administrator.
    Other,
}

/// One address on one link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The link's number.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// The length of its prefix.
    pub length: u8,
    /// Who made it (`IFA_PROTO`): 0 nobody in particular, 1 to 3 the kernel.
    pub protocol: u8,
    /// How far it reaches.
    pub scope: AddressScope,
    /// Not proven unique yet, or proven not to be (IPv6).
    pub tentative: bool,
    /// Stays until removed; others run out.
    pub permanent: bool,
}

impl Address {
    pub(crate) fn parse(message: &AddressMessage) -> Option<Self> {
        let (mut local, mut peer, mut flags) = (None, None, None);
        let mut protocol = 0;
        for attribute in &message.attributes {
            match attribute {
                AddressAttribute::Local(a) => local = Some(*a),
                AddressAttribute::Address(a) => peer = Some(*a),
                AddressAttribute::Flags(f) => flags = Some(*f),
                AddressAttribute::Protocol(p) => protocol = u8::from(*p),
                _ => {}
            }
        }
        let short = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
        let flags = flags.unwrap_or(short);
        let address = local.or(peer)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        (message.header.prefix_len <= most).then(|| Self {
            index: message.header.index,
            address,
            length: message.header.prefix_len,
            protocol,
            scope: message.header.scope.into(),
            tentative: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
            permanent: flags.contains(AddressFlags::Permanent),
        })
    }

    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.index = self.index;
        message.header.prefix_len = self.length;
        message.header.flags = AddressHeaderFlags::Permanent;
        message.header.scope = if self.address.is_loopback() {
            RawScope::Host
        } else {
            RawScope::Universe
        };
        message.header.family = family(self.address);
        message
            .attributes
            .push(AddressAttribute::Local(self.address));
        message
            .attributes
            .push(AddressAttribute::Address(self.address));
        message
            .attributes
            .extend(self.broadcast().map(AddressAttribute::Broadcast));
        if self.protocol != 0 {
            message
                .attributes
                .push(AddressAttribute::Protocol(AddressProtocol::Other(
                    self.protocol,
                )));
        }
        message
    }

    /// The address all hosts of an IPv4 subnet hear; none on point-to-point prefixes and on the loopback.
    fn broadcast(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.address else {
            return None;
        };
        if address.is_loopback() || self.length > 30 {
            return None;
        }
        let hosts = u32::MAX.checked_shr(u32::from(self.length)).unwrap_or(0);
        Some(Ipv4Addr::from_bits(address.to_bits() | hosts))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "address {}/{} on link {}",
            self.address, self.length, self.index
        )
    }
}

impl From<RawScope> for AddressScope {
    fn from(scope: RawScope) -> Self {
        match scope {
            RawScope::Universe => Self::Global,
            RawScope::Site => Self::Site,
            RawScope::Link => Self::Link,
            RawScope::Host => Self::Host,
            _ => Self::Other,
        }
    }
}

pub(crate) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

impl Netlink {
    /// Every address of the namespace, in a stable order.
    ///
    /// # Errors
    /// When the kernel refuses, or the table never holds still.
    pub async fn addresses(&self) -> Result<Vec<Address>, Error> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let entries = self.dump("addresses", request).await?;
        let mut addresses: Vec<_> = entries
            .iter()
            .filter_map(|e| match e {
                RouteNetlinkMessage::NewAddress(m) => Address::parse(m),
                _ => None,
            })
            .collect();
        addresses.sort();
        Ok(addresses)
    }

    /// Adds an address, or gives an existing one this tag; neither ever takes it away in between.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn put_address(&self, address: &Address) -> Result<(), Error> {
        let request = RouteNetlinkMessage::NewAddress(address.message());
        self.change(request, NLM_F_CREATE | NLM_F_REPLACE, || {
            address.to_string()
        })
        .await
    }

    /// Removes an address; one that is gone already is fine.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn remove_address(&self, address: &Address) -> Result<(), Error> {
        let request = RouteNetlinkMessage::DelAddress(address.message());
        unless(self.change(request, 0, || address.to_string()).await, &GONE)
    }
}
