//! Which of the kernel's tables changed since last asked.
//!
//! Never says what changed: several removals are not announced at all (routes that fall with their link or address), so the
//! one safe reaction to any of it is to read the table again.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;

/// The tables worth reading again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Links may have changed.
    pub links: bool,
    /// Addresses may have changed.
    pub addresses: bool,
    /// Routes may have changed.
    pub routes: bool,
}

/// The stream of changes.
pub struct Changes(BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>);

impl Dirty {
    /// Everything: the state after a start, or after lost notifications.
    pub const ALL: Self = Self {
        links: true,
        addresses: true,
        routes: true,
    };

    /// What a notification makes worth reading again.
    #[must_use]
    pub fn of(message: &NetlinkMessage<RouteNetlinkMessage>) -> Self {
        use RouteNetlinkMessage as M;
        let payload = match &message.payload {
            NetlinkPayload::InnerMessage(m) => m,
            // The socket's buffer ran over: whatever was in it is lost.
            NetlinkPayload::Overrun(_) => return Self::ALL,
            _ => return Self::default(),
        };
        match payload {
            // A link takes its addresses and routes along, without a word about the routes.
            M::NewLink(_) | M::DelLink(_) => Self::ALL,
            M::NewAddress(_) | M::DelAddress(_) => Self {
                links: false,
                ..Self::ALL
            },
            M::NewRoute(_) | M::DelRoute(_) => Self {
                routes: true,
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            links: self.links | other.links,
            addresses: self.addresses | other.addresses,
            routes: self.routes | other.routes,
        }
    }
}

impl Changes {
    pub(crate) fn new<A: Send + 'static>(
        messages: impl futures_util::Stream<Item = (NetlinkMessage<RouteNetlinkMessage>, A)>
        + Send
        + 'static,
    ) -> Self {
        Self(messages.map(|(message, _)| message).boxed())
    }

    /// Waits for a change and takes all that are already there with it; `None` when the socket is gone.
    ///
    /// Cancel-safe: a cancelled call loses nothing that it had not returned.
    pub async fn next(&mut self) -> Option<Dirty> {
        loop {
            let mut dirty = Dirty::of(&self.0.next().await?);
            while let Some(Some(message)) = futures_util::FutureExt::now_or_never(self.0.next()) {
                dirty = dirty.and(Dirty::of(&message));
            }
            if dirty != Dirty::default() {
                return Some(dirty);
            }
        }
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Changes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NetlinkHeader;
    use netlink_packet_route::link::LinkMessage;

    use super::*;

    fn message(
        payload: NetlinkPayload<RouteNetlinkMessage>,
    ) -> NetlinkMessage<RouteNetlinkMessage> {
        NetlinkMessage::new(NetlinkHeader::default(), payload)
    }

    #[tokio::test]
    async fn an_overrun_dirties_everything() {
        let lost = message(NetlinkPayload::Overrun(vec![]));
        let mut changes = Changes::new(futures_util::stream::iter([(lost, ())]));
        assert_eq!(changes.next().await, Some(Dirty::ALL));
        assert_eq!(changes.next().await, None);
    }

    #[test]
    fn a_vanished_link_dirties_routes_too() {
        let gone = RouteNetlinkMessage::DelLink(LinkMessage::default());
        assert_eq!(
            Dirty::of(&message(NetlinkPayload::InnerMessage(gone))),
            Dirty::ALL
        );
    }
}
