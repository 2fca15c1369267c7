//! IPv4 and UDP headers around one datagram: built for sending, checked on receiving.
//!
//! Owns the layout and the checksums. It exists because a client without an address has no UDP socket to speak through. Options,
//! fragments and other ports are refused rather than understood.

use std::net::{Ipv4Addr, SocketAddrV4};

use thiserror::Error;

const UDP: u8 = 17;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// Why bytes are not a UDP datagram for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Shorter than its headers, or than they say.
    #[error("the packet is cut short")]
    Short,
    /// Another version, protocol or port, or a fragment.
    #[error("the packet is not an unfragmented UDP datagram for this port")]
    Foreign,
    /// A checksum does not match.
    #[error("the {0} checksum is wrong")]
    Checksum(&'static str),
}

/// An IPv4 packet with one UDP datagram; `None` when the payload is too long for one.
#[must_use]
pub fn build(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(UDP_HEADER + payload.len()).ok()?;
    let total = u16::try_from(IP_HEADER + UDP_HEADER + payload.len()).ok()?;
    let mut ip = Vec::with_capacity(usize::from(total));
    ip.extend([0x45, 0]);
    ip.extend(total.to_be_bytes());
    // No identification (nothing may be fragmented), do not fragment, a lifetime of 64 hops.
    ip.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
    ip.extend(from.ip().octets());
    ip.extend(to.ip().octets());
    let header_sum = !fold(sum(&ip));
    put(&mut ip, 10, header_sum);
    let mut udp = Vec::with_capacity(usize::from(udp_length));
    udp.extend(from.port().to_be_bytes());
    udp.extend(to.port().to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    let checksum = !fold(pseudo(*from.ip(), *to.ip(), udp_length) + sum(&udp));
    // A zero on the wire means "no checksum", so a sum of zero is sent as its other form.
    put(&mut udp, 6, if checksum == 0 { 0xffff } else { checksum });
    ip.extend(udp);
    Some(ip)
}

/// The payload of a UDP datagram for `port`, and where it came from.
///
/// # Errors
/// When the packet is cut short, is something else, or fails a checksum.
pub fn parse_frame(packet: &[u8], port: u16) -> Result<(SocketAddrV4, &[u8]), FrameError> {
    let first = *packet.first().ok_or(FrameError::Short)?;
    let header_length = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_length < IP_HEADER {
        return Err(FrameError::Foreign);
    }
    let header = packet.get(..header_length).ok_or(FrameError::Short)?;
    let total = usize::from(be16(header, 2)?);
    // Short frames arrive padded: what counts is the length the header states.
    let packet = packet.get(..total).ok_or(FrameError::Short)?;
    let fragment = be16(header, 6)? & 0x3fff != 0;
    if fragment || header.get(9) != Some(&UDP) {
        return Err(FrameError::Foreign);
    }
    if fold(sum(header)) != 0xffff {
        return Err(FrameError::Checksum("header"));
    }
    let (from, to) = (address(header, 12)?, address(header, 16)?);
    let udp = packet.get(header_length..).ok_or(FrameError::Short)?;
    let udp_length = be16(udp, 4)?;
    if usize::from(udp_length) < UDP_HEADER {
        return Err(FrameError::Short);
    }
    let udp = udp
        .get(..usize::from(udp_length))
        .ok_or(FrameError::Short)?;
    if be16(udp, 2)? != port {
        return Err(FrameError::Foreign);
    }
    check(udp, pseudo(from, to, udp_length))?;
    let payload = udp.get(UDP_HEADER..).ok_or(FrameError::Short)?;
    Ok((SocketAddrV4::new(from, be16(udp, 0)?), payload))
}

/// Accepts no checksum, a right one, and the half-made one of a sender on the same machine: there the kernel leaves the sum over
/// the addresses in the field, for a network card that the packet never meets.
fn check(udp: &[u8], pseudo: u32) -> Result<(), FrameError> {
    let field = be16(udp, 6)?;
    let right = fold(pseudo + sum(udp)) == 0xffff;
    if field == 0 || right || field == fold(pseudo) {
        Ok(())
    } else {
        Err(FrameError::Checksum("UDP"))
    }
}

fn pseudo(from: Ipv4Addr, to: Ipv4Addr, udp_length: u16) -> u32 {
    sum(&from.octets()) + sum(&to.octets()) + u32::from(UDP) + u32::from(udp_length)
}

/// The sum of 16-bit words. A packet has at most 2^15 words, so it fits.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(0, |sum, pair| match *pair {
        [a, b] => sum + u32::from(u16::from_be_bytes([a, b])),
        [a] => sum + u32::from(u16::from_be_bytes([a, 0])),
        _ => sum,
    })
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    let twice = (once & 0xffff) + (once >> 16);
    u16::try_from(twice).unwrap_or(u16::MAX)
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, FrameError> {
    match bytes.get(at..at + 2) {
        Some(&[a, b]) => Ok(u16::from_be_bytes([a, b])),
        _ => Err(FrameError::Short),
    }
}

fn address(bytes: &[u8], at: usize) -> Result<Ipv4Addr, FrameError> {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ok(Ipv4Addr::new(a, b, c, d)),
        _ => Err(FrameError::Short),
    }
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(field) = bytes.get_mut(at..at + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    #[test]
    fn a_known_header_sum() {
        // The example of RFC 1071's errata and many textbooks: 45 00 00 73 ... c0 a8 00 01 c0 a8 00 c7 gives b861.
        let header = [
            0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,
            0xc7,
        ];
        assert_eq!(!fold(sum(&header)), 0xb861);
    }

    #[test]
    fn a_sum_left_to_the_network_card_is_taken() {
        let (from, to) = (at("10.0.0.1:67"), at("10.0.0.2:68"));
        let mut packet = build(from, to, b"hello").unwrap();
        let half = fold(pseudo(*from.ip(), *to.ip(), 13));
        put(&mut packet, IP_HEADER + 6, half);
        assert_eq!(parse_frame(&packet, 68), Ok((from, &b"hello"[..])));
    }

    proptest! {
        #[test]
        fn what_is_built_parses(payload in proptest::collection::vec(any::<u8>(), 0..1400), pad in 0..40_usize) {
            let (from, to) = (at("192.0.2.1:67"), at("255.255.255.255:68"));
            let mut packet = build(from, to, &payload).unwrap();
            packet.extend(vec![0xaa; pad]);
            prop_assert_eq!(parse_frame(&packet, 68), Ok((from, &payload[..])));
            prop_assert_eq!(parse_frame(&packet, 67), Err(FrameError::Foreign));
        }

        #[test]
        fn a_flipped_bit_is_noticed(payload in proptest::collection::vec(any::<u8>(), 1..300), bit in any::<prop::sample::Index>()) {
            let mut packet = build(at("192.0.2.1:67"), at("192.0.2.9:68"), &payload).unwrap();
            let bit = bit.index(packet.len() * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
            // A flip may turn the field into "no checksum", but never change the payload unseen.
            if let Ok((_, got)) = parse_frame(&packet, 68) {
                prop_assert_eq!(got, &payload[..]);
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse_frame(&bytes, 68).ok();
        }
    }
}
