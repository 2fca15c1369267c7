//! Learning a machine's address before it starts.
//!
//! QEMU's user network hands out leases in the order of asking, which is no order when several machines boot. So we ask
//! first, in each machine's name: one DHCPDISCOVER with its hardware address, sent into its port of the switch. The
//! network keeps the lease for that address, and the offer tells us what to forward ports to. Frames are pure; the only
//! effect is [`claim`].

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;

use crate::deadline::Deadline;
use crate::wire;

/// Marks our question, so that its answer is told from a machine's.
const TRANSACTION: [u8; 4] = *b"GBRD";

/// A frame on the hub is an Ethernet frame; anything longer means that we lost step in the stream.
const LONGEST_FRAME: usize = 65536;

/// A card's address.
pub(crate) type Mac = [u8; 6];

/// Asks for the lease of a card through its port and waits for the offer.
pub(crate) fn claim(stream: &mut UnixStream, mac: Mac, deadline: Deadline) -> io::Result<Ipv4Addr> {
    let frame = discover(mac);
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    wire::bound(stream, deadline)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&frame)?;
    loop {
        wire::bound(stream, deadline)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
        if length > LONGEST_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame)?;
        if let Some(address) = offered(&frame, mac) {
            return Ok(address);
        }
    }
}

/// An Ethernet frame with a DHCPDISCOVER.
fn discover(mac: Mac) -> Vec<u8> {
    let mut dhcp = vec![1, 1, 6, 0];
    dhcp.extend(TRANSACTION);
    dhcp.extend([0; 20]);
    dhcp.extend(mac);
    dhcp.extend([0; 10 + 64 + 128]);
    // Magic cookie; option 53, message type, 1 = discover; end.
    dhcp.extend([99, 130, 83, 99, 53, 1, 1, 255]);

    let mut udp = Vec::new();
    udp.extend(68_u16.to_be_bytes());
    udp.extend(67_u16.to_be_bytes());
    udp.extend(length(8 + dhcp.len()));
    // No checksum: allowed over IPv4.
    udp.extend([0, 0]);
    udp.extend(dhcp);

    let mut ip = vec![0x45, 0];
    ip.extend(length(20 + udp.len()));
    ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    ip.extend(Ipv4Addr::UNSPECIFIED.octets());
    ip.extend(Ipv4Addr::BROADCAST.octets());
    let sum = checksum(&ip);
    ip.splice(10..12, sum);

    let mut frame = vec![0xff; 6];
    frame.extend(mac);
    frame.extend([8, 0]);
    frame.extend(ip);
    frame.extend(udp);
    frame
}

/// The lengths here are those of one small frame of our own.
fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// The Internet checksum of a header of even length.
fn checksum(header: &[u8]) -> [u8; 2] {
    let mut sum: u32 = header
        .chunks_exact(2)
        .filter_map(|pair| Some(u32::from(u16::from_be_bytes(pair.try_into().ok()?))))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let folded = u16::try_from(sum).unwrap_or(u16::MAX);
    (!folded).to_be_bytes()
}

/// The address that a frame offers us, if it is the answer to our question.
fn offered(frame: &[u8], mac: Mac) -> Option<Ipv4Addr> {
    let ip = frame.strip_prefix_at(12, &[8, 0])?;
    let header = usize::from(*ip.first()? & 0x0f) * 4;
    let is_udp = ip.get(9) == Some(&17);
    let udp = ip.get(header..).filter(|_| is_udp)?;
    let dhcp = udp.get(8..).filter(|_| udp.get(2..4) == Some(&[0, 68]))?;
    let ours = dhcp.get(4..8) == Some(&TRANSACTION) && dhcp.get(28..34) == Some(&mac);
    let address: [u8; 4] = dhcp.get(16..20)?.try_into().ok()?;
    (ours && dhcp.first() == Some(&2)).then(|| address.into())
}

trait StripPrefixAt {
    fn strip_prefix_at(&self, offset: usize, prefix: &[u8]) -> Option<&[u8]>;
}

impl StripPrefixAt for [u8] {
    fn strip_prefix_at(&self, offset: usize, prefix: &[u8]) -> Option<&[u8]> {
        self.get(offset..)?.strip_prefix(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = [0x52, 0x54, 0, 0x67, 0x62, 1];

    /// The server's answer to our own question: roles swapped and an address filled in.
    fn offer(address: [u8; 4]) -> Vec<u8> {
        let mut frame = discover(MAC);
        frame.splice(34..38, [0, 67, 0, 68]);
        frame[42] = 2;
        frame.splice(58..62, address);
        frame
    }

    #[test]
    fn the_header_sums_to_nothing_with_its_checksum() {
        let frame = discover(MAC);
        assert_eq!(checksum(&frame[14..34]), [0, 0]);
        assert_ne!(frame[24..26], [0, 0]);
    }

    #[test]
    fn only_the_answer_to_our_question_counts() {
        let address = Ipv4Addr::new(10, 0, 2, 17);
        let good = offer(address.octets());
        assert_eq!(offered(&good, MAC), Some(address));
        assert_eq!(offered(&good, [1; 6]), None);
        assert_eq!(offered(&discover(MAC), MAC), None);
        let mut other = good.clone();
        other[46] ^= 1;
        assert_eq!(offered(&other, MAC), None, "another transaction");
    }

    proptest! {
        #[test]
        fn hostile_frames_are_passed_over(frame in prop::collection::vec(any::<u8>(), 0..400)) {
            offered(&frame, MAC);
        }

        #[test]
        fn cut_frames_are_passed_over(cut in 0_usize..62) {
            prop_assert_eq!(offered(&offer([10, 0, 2, 15])[..cut], MAC), None);
        }
    }
}
