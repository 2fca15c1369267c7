//! Datagrams of the routing socket.

use netlink::{Address, FrameError, Link, Parsed, Route, parse_frame};

use super::bytes;

/// Links, addresses and routes, come and gone.
const KINDS: [u16; 6] = [16, 17, 20, 21, 24, 25];
const HEADER: usize = 16;

pub(super) fn run(data: &[u8]) {
    checked(data);
    // Noise seldom has a right length in front: the same bytes once more as the content of one message.
    let mut content = data;
    let which = usize::from(bytes::first(&mut content)) % KINDS.len();
    let kind = KINDS.get(which).copied().unwrap_or_default();
    let length = u32::try_from(HEADER + content.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.resize(HEADER, 0);
    message.extend(content);
    checked(&message);
}

fn checked(datagram: &[u8]) {
    let parsed = match parse_frame(datagram) {
        Ok(parsed) => parsed,
        Err(FrameError::Cut { at } | FrameError::Malformed { at }) => {
            assert!(at < datagram.len());
            return;
        }
    };
    assert!(
        parsed.len() <= datagram.len() / HEADER,
        "messages out of nothing"
    );
    for message in &parsed {
        match message {
            Parsed::Link(Link { index, name, .. }) => {
                assert!(*index != 0 && !name.is_empty() && name.len() <= datagram.len());
            }
            Parsed::Address(Address {
                address, length, ..
            }) => {
                assert!(*length <= if address.is_ipv4() { 32 } else { 128 });
            }
            Parsed::Route(Route {
                destination,
                length,
                index,
                ..
            }) => {
                assert!(*length <= if destination.is_ipv4() { 32 } else { 128 });
                assert_ne!(*index, 0);
            }
            Parsed::Other => {}
        }
    }
}
