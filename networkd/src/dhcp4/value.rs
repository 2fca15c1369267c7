//! The values inside DHCP options: from bytes of a stranger to types, or nothing.

use std::net::{IpAddr, Ipv4Addr};

use resources::net::{Cidr, Dhcp4Route};

/// The smallest MTU that IPv4 hosts must take (RFC 791); less in an option is a mistake or an attack.
const LEAST_MTU: u16 = 576;
/// The longest domain name (RFC 1035).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

type Value<'a> = Option<&'a Vec<u8>>;

pub(super) fn address(bytes: Option<&[u8]>) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes?.try_into().ok()?;
    Some(octets.into())
}

/// True for what a host can be reached by.
pub(super) fn is_host(address: Ipv4Addr) -> bool {
    // 0/8 is "this network", 240/4 is reserved and holds the broadcast address.
    let [first, ..] = address.octets();
    first != 0 && first < 240 && !address.is_multicast() && !address.is_loopback()
}

pub(super) fn host(value: Value<'_>) -> Option<Ipv4Addr> {
    address(value.map(Vec::as_slice)).filter(|a| is_host(*a))
}

/// Every host of a list, once, in order. A length that is no multiple of four makes the list worthless.
pub(super) fn hosts(value: Value<'_>) -> Vec<Ipv4Addr> {
    let mut hosts = Vec::new();
    let value = value.map(Vec::as_slice).unwrap_or_default();
    if !value.len().is_multiple_of(4) {
        return hosts;
    }
    for host in value
        .chunks(4)
        .filter_map(|c| address(Some(c)))
        .filter(|a| is_host(*a))
    {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

pub(super) fn u32(value: Value<'_>) -> Option<u32> {
    let bytes: [u8; 4] = value?.as_slice().try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

pub(super) fn mtu(value: Value<'_>) -> Option<u32> {
    let bytes: [u8; 2] = value?.as_slice().try_into().ok()?;
    Some(u16::from_be_bytes(bytes))
        .filter(|m| *m >= LEAST_MTU)
        .map(u32::from)
}

/// The length of a mask without holes, and not 0: every host at once is no subnet.
pub(super) fn mask(value: &[u8]) -> Option<u8> {
    let mask = address(Some(value))?.to_bits();
    let holes = mask.leading_ones() + mask.trailing_zeros() != 32;
    u8::try_from(mask.leading_ones())
        .ok()
        .filter(|l| *l > 0 && !holes)
}

/// The prefix of the address's class, for servers that name none.
pub(super) fn class_length(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [0..=127, ..] => 8,
        [128..=191, ..] => 16,
        _ => 24,
    }
}

/// Classless static routes (RFC 3442); a list with one broken entry is worthless as a whole.
pub(super) fn routes(value: Value<'_>) -> Vec<Dhcp4Route> {
    let mut bytes = value.map(Vec::as_slice).unwrap_or_default();
    let mut routes = Vec::new();
    while let [length, rest @ ..] = bytes {
        match route(*length, rest) {
            Some((route, rest)) => {
                routes.push(route);
                bytes = rest;
            }
            None => return Vec::new(),
        }
    }
    routes
}

fn route(length: u8, bytes: &[u8]) -> Option<(Dhcp4Route, &[u8])> {
    let (significant, rest) = bytes.split_at_checked(usize::from(length.div_ceil(8)))?;
    let (gateway, rest) = rest.split_at_checked(4)?;
    let mut octets = [0; 4];
    octets
        .get_mut(..significant.len())?
        .copy_from_slice(significant);
    let gateway = address(Some(gateway))?;
    if !gateway.is_unspecified() && !is_host(gateway) {
        return None;
    }
    let route = Dhcp4Route {
        destination: Cidr::new(IpAddr::from(octets), length)?.network(),
        gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
    };
    Some((route, rest))
}

/// A domain of letters, digits and dashes, in lower case; empty when it is none.
pub(super) fn domain(value: Value<'_>) -> String {
    let Some(text) = value.and_then(|v| std::str::from_utf8(v).ok()) else {
        return String::new();
    };
    let text = text.trim_end_matches(['\0', '.']).to_ascii_lowercase();
    let fits = !text.is_empty() && text.len() <= LONGEST_NAME && text.split('.').all(is_label);
    if fits { text } else { String::new() }
}

/// The first label of a name, under the same rules.
pub(super) fn hostname(value: Value<'_>) -> String {
    domain(value)
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &[u8]) -> Vec<u8> {
        hex.to_vec()
    }

    #[test]
    fn masks_with_holes_are_refused() {
        assert_eq!(mask(&[255, 255, 255, 0]), Some(24));
        assert_eq!(mask(&[255, 255, 255, 255]), Some(32));
        assert_eq!(mask(&[255, 0, 255, 0]), None);
        assert_eq!(mask(&[0, 0, 0, 0]), None);
        assert_eq!(mask(&[255, 255, 255]), None);
    }

    #[test]
    fn the_examples_of_rfc_3442() {
        // 10.17.0.0/16 and 0/0 via 10.229.0.128, in the compact form of the RFC's table.
        let value = bytes(&[16, 10, 17, 10, 229, 0, 128, 0, 10, 229, 0, 128]);
        let got: Vec<_> = routes(Some(&value))
            .iter()
            .map(|r| (r.destination.to_string(), r.gateway))
            .collect();
        let gateway = Some("10.229.0.128".parse().unwrap());
        assert_eq!(
            got,
            [
                ("10.17.0.0/16".to_owned(), gateway),
                ("0.0.0.0/0".to_owned(), gateway)
            ]
        );
    }

    #[test]
    fn a_broken_route_list_is_worthless() {
        assert!(routes(Some(&bytes(&[33, 1, 2, 3, 4, 5, 1, 2, 3, 4]))).is_empty());
        assert!(routes(Some(&bytes(&[24, 10, 0, 0, 10, 0, 0]))).is_empty());
    }

    #[test]
    fn names_are_names() {
        assert_eq!(domain(Some(&bytes(b"Example.ORG.\0"))), "example.org");
        assert_eq!(hostname(Some(&bytes(b"node-1.example.org"))), "node-1");
        for bad in [&b"a b"[..], b"-a", b"a..b", b"", b"\xff", b"x\n", b"../etc"] {
            assert_eq!(domain(Some(&bad.to_vec())), "", "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_told_to_use_a_strange_address() {
        let list = bytes(&[
            0, 0, 0, 0, 255, 255, 255, 255, 224, 0, 0, 1, 127, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9,
        ]);
        assert_eq!(hosts(Some(&list)), [Ipv4Addr::new(9, 9, 9, 9)]);
        assert_eq!(mtu(Some(&bytes(&[0, 68]))), None);
        assert_eq!(mtu(Some(&bytes(&[5, 180]))), Some(1460));
    }
}
