//! A whole datagram of the routing socket into types: the pure half of reading, and what the fuzzer is given.

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use thiserror::Error;

use crate::{Address, Link, Route};

/// One message of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A link, or the last words about one.
    Link(Link),
    /// An address, or the last words about one.
    Address(Address),
    /// A route, or the last words about one.
    Route(Route),
    /// Anything else: acknowledgements, other families, what this crate has no type for.
    Other,
}

/// A datagram that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A length field points outside the datagram.
    #[error("the message at byte {at} is cut short")]
    Cut {
        /// Where the message starts.
        at: usize,
    },
    /// A message's content does not follow its type.
    #[error("the message at byte {at} does not parse")]
    Malformed {
        /// Where the message starts.
        at: usize,
    },
}

/// Every message of a datagram, in order.
///
/// # Errors
/// When a message is cut short or does not parse.
pub fn parse_frame(datagram: &[u8]) -> Result<Vec<Parsed>, FrameError> {
    let (mut at, mut parsed) = (0, Vec::new());
    while let Some(rest) = datagram.get(at..).filter(|r| !r.is_empty()) {
        let length = NetlinkBuffer::new_checked(rest)
            .ok()
            .and_then(|b| usize::try_from(b.length()).ok())
            .ok_or(FrameError::Cut { at })?;
        let message = rest.get(..length).ok_or(FrameError::Cut { at })?;
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message)
            .map_err(|_| FrameError::Malformed { at })?;
        parsed.push(parse(&message));
        // The header alone is longer than a word, so this always moves on.
        at += length.next_multiple_of(4);
    }
    Ok(parsed)
}

fn parse(message: &NetlinkMessage<RouteNetlinkMessage>) -> Parsed {
    use RouteNetlinkMessage as M;
    let NetlinkPayload::InnerMessage(message) = &message.payload else {
        return Parsed::Other;
    };
    match message {
        M::NewLink(m) | M::DelLink(m) => Link::parse(m).map(Parsed::Link),
        M::NewAddress(m) | M::DelAddress(m) => Address::parse(m).map(Parsed::Address),
        M::NewRoute(m) | M::DelRoute(m) => Route::parse(m).map(Parsed::Route),
        _ => None,
    }
    .unwrap_or(Parsed::Other)
}
