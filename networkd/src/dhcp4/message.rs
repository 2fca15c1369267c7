//! DHCPv4 messages (RFC 2131, 2132, 3396, 3442): what a client sends, and what it takes from a server.
//!
//! Owns the wire format. The codec is our own: this process reads hostile packets, needs a dozen options, and the general crate
//! brings a DNS and an internationalisation stack along (it is the other side of this module's tests). What a server *must* send
//! rightly makes the packet invalid when wrong; what it *may* send is left out when it makes no sense.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use resources::net::{Cidr, Dhcp4Route};
use thiserror::Error;

use super::value;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// BOOTP's fixed part: everything before the magic cookie.
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The smallest message relays and servers must take is 300 bytes (RFC 1542, 2.1).
const LEAST: usize = 300;
/// What we take: an Ethernet frame's worth.
const MOST: u16 = 1500;

/// What we ask for: mask, routers, resolvers, hostname, domain, MTU, time servers, the three times, classless routes.
/// The option 55 that says so, with its length.
const WANTED: [u8; 13] = [55, 11, 1, 3, 6, 12, 15, 26, 42, 51, 58, 59, 121];

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Who has an address for me?
    Discover = 1,
    /// I take this one, or want to keep it.
    Request = 3,
    /// I give it back.
    Release = 7,
}

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// You could have this one.
    Offer,
    /// It is yours.
    Ack,
    /// It is not.
    Nak,
}

/// A message to servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it says.
    pub kind: RequestKind,
    /// The transaction.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The address it already uses; unspecified when it uses none.
    pub client: Ipv4Addr,
    /// Who it is.
    pub mac: Mac,
    /// The address it would like (option 50).
    pub requested: Option<Ipv4Addr>,
    /// The server it means (option 54).
    pub server: Option<Ipv4Addr>,
}

/// What a server says about an address, checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// The address with its mask.
    pub address: Cidr,
    /// How long it lasts, in seconds; `u32::MAX` is for ever. Never 0.
    pub seconds: u32,
    /// When to renew, if the server says.
    pub renew: Option<u32>,
    /// When to rebind, if the server says.
    pub rebind: Option<u32>,
    /// Next hops of the default route.
    pub routers: Vec<Ipv4Addr>,
    /// Classless static routes.
    pub routes: Vec<Dhcp4Route>,
    /// Name servers.
    pub resolvers: Vec<Ipv4Addr>,
    /// Time servers.
    pub time_servers: Vec<Ipv4Addr>,
    /// The domain; empty for none.
    pub domain: String,
    /// The first label of the name it has for us; empty for none.
    pub hostname: String,
    /// The link's MTU.
    pub mtu: Option<u32>,
}

/// A message from a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What it says.
    pub kind: ReplyKind,
    /// The transaction.
    pub xid: u32,
    /// Whom it is for.
    pub mac: Mac,
    /// Who says it.
    pub server: Option<Ipv4Addr>,
    /// About which address; absent in a refusal.
    pub terms: Option<Box<Terms>>,
}

/// Why bytes are not a message from a DHCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Shorter than the fixed part, or an option points beyond the end.
    #[error("the message is cut short")]
    Short,
    /// No answer of BOOTP over Ethernet, or without DHCP's cookie.
    #[error("the message is no DHCP answer over Ethernet")]
    Foreign,
    /// An option that must be there and make sense is not or does not.
    #[error("option {0} is missing or makes no sense")]
    Option(u8),
    /// The address given cannot be a host's.
    #[error("{0} is no host's address")]
    Address(Ipv4Addr),
}

impl Request {
    /// The message as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![1, 1, 6, 0];
        bytes.extend(self.xid.to_be_bytes());
        bytes.extend(self.secs.to_be_bytes());
        // No broadcast flag: the packet socket hears what is sent to our hardware address.
        bytes.extend([0, 0]);
        bytes.extend(self.client.octets());
        bytes.extend([0; 12]);
        bytes.extend(self.mac);
        bytes.resize(FIXED, 0);
        bytes.extend(COOKIE);
        bytes.extend([53, 1, self.kind as u8]);
        // The type of hardware and the address: the same name iPXE and firmware give, so the lease is the same too.
        bytes.extend([61, 7, 1]);
        bytes.extend(self.mac);
        for (code, address) in [(50, self.requested), (54, self.server)] {
            if let Some(address) = address {
                bytes.extend([code, 4]);
                bytes.extend(address.octets());
            }
        }
        if self.kind != RequestKind::Release {
            bytes.extend([57, 2]);
            bytes.extend(MOST.to_be_bytes());
            bytes.extend(WANTED);
        }
        bytes.push(255);
        bytes.resize(bytes.len().max(LEAST), 0);
        bytes
    }
}

/// A message from a server.
///
/// # Errors
/// When it is cut short, no DHCP answer, or lacks what a lease needs.
pub fn parse_reply(bytes: &[u8]) -> Result<Reply, MessageError> {
    let fixed = bytes.get(..FIXED).ok_or(MessageError::Short)?;
    let rest = bytes.get(FIXED..).ok_or(MessageError::Short)?;
    let rest = rest.strip_prefix(&COOKIE).ok_or(MessageError::Foreign)?;
    let (Some([2, 1, 6, _, x0, x1, x2, x3]), Some(mac)) = (fixed.get(..8), fixed.get(28..34))
    else {
        return Err(MessageError::Foreign);
    };
    let options = options(fixed, rest)?;
    let kind = match options.get(&53).map(Vec::as_slice) {
        Some([2]) => ReplyKind::Offer,
        Some([5]) => ReplyKind::Ack,
        Some([6]) => ReplyKind::Nak,
        _ => return Err(MessageError::Option(53)),
    };
    let terms = match kind {
        ReplyKind::Nak => None,
        _ => Some(Box::new(terms(
            value::address(fixed.get(16..20)),
            &options,
        )?)),
    };
    Ok(Reply {
        kind,
        xid: u32::from_be_bytes([*x0, *x1, *x2, *x3]),
        mac: mac.try_into().map_err(|_| MessageError::Short)?,
        server: value::host(options.get(&54)),
        terms,
    })
}

type Options = BTreeMap<u8, Vec<u8>>;

/// All options; one that comes in pieces is put together (RFC 3396), and the two text fields are read too when told to.
fn options(fixed: &[u8], rest: &[u8]) -> Result<Options, MessageError> {
    let mut options = Options::new();
    collect(rest, &mut options)?;
    let overload = options
        .remove(&52)
        .and_then(|v| v.first().copied())
        .unwrap_or(0);
    // Bit 0: the boot file's field holds options; bit 1: the server name's does.
    for (bit, field) in [(1, 108..FIXED), (2, 44..108)] {
        if overload & bit != 0 {
            collect(fixed.get(field).unwrap_or_default(), &mut options)?;
        }
    }
    Ok(options)
}

fn collect(mut bytes: &[u8], options: &mut Options) -> Result<(), MessageError> {
    loop {
        match bytes {
            // The end may be left out when the field is full.
            [] | [255, ..] => return Ok(()),
            [0, rest @ ..] => bytes = rest,
            [code, length, rest @ ..] => {
                let (value, rest) = rest
                    .split_at_checked(usize::from(*length))
                    .ok_or(MessageError::Short)?;
                options.entry(*code).or_default().extend(value);
                bytes = rest;
            }
            [_] => return Err(MessageError::Short),
        }
    }
}

fn terms(address: Option<Ipv4Addr>, options: &Options) -> Result<Terms, MessageError> {
    let address = address.ok_or(MessageError::Short)?;
    if !value::is_host(address) {
        return Err(MessageError::Address(address));
    }
    let get = |code: u8| options.get(&code);
    let length = match get(1) {
        Some(mask) => value::mask(mask).ok_or(MessageError::Option(1))?,
        None => value::class_length(address),
    };
    let seconds = value::u32(get(51))
        .filter(|s| *s > 0)
        .ok_or(MessageError::Option(51))?;
    if value::host(get(54)).is_none() {
        return Err(MessageError::Option(54));
    }
    Ok(Terms {
        address: Cidr::new(address.into(), length).ok_or(MessageError::Option(1))?,
        seconds,
        renew: value::u32(get(58)),
        rebind: value::u32(get(59)),
        routers: value::hosts(get(3)),
        routes: value::routes(get(121)),
        resolvers: value::hosts(get(6)),
        time_servers: value::hosts(get(42)),
        domain: value::domain(get(15)),
        hostname: value::hostname(get(12)),
        mtu: value::mtu(get(26)),
    })
}

#[cfg(test)]
mod tests;
