//! Sending one request and reading its whole answer.

use futures_util::StreamExt;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;

use crate::{Error, Netlink};

/// The kernel's mark on a dump during which the table changed (`NLM_F_DUMP_INTR`).
const INTERRUPTED: u16 = 0x10;
/// How often such a dump is repeated before it counts as an error: each takes well under a millisecond.
const TRIES: u32 = 20;

impl Netlink {
    /// Reads a table whole, again when it changed meanwhile.
    pub(crate) async fn dump(
        &self,
        what: &'static str,
        request: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        for _ in 0..TRIES {
            if let Some(entries) = self.dump_once(what, request.clone()).await? {
                return Ok(entries);
            }
        }
        Err(Error::Unstable(what))
    }

    async fn dump_once(
        &self,
        what: &'static str,
        request: RouteNetlinkMessage,
    ) -> Result<Option<Vec<RouteNetlinkMessage>>, Error> {
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut answers = self
            .handle
            .clone()
            .request(message)
            .map_err(|_| Error::Closed)?;
        let (mut entries, mut intact) = (Vec::new(), true);
        while let Some(answer) = answers.next().await {
            intact &= answer.header.flags & INTERRUPTED == 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(entry) => entries.push(entry),
                NetlinkPayload::Error(e) => {
                    return Err(Error::List {
                        what,
                        source: e.to_io(),
                    });
                }
                _ => {}
            }
        }
        Ok(intact.then_some(entries))
    }

    /// Asks for a change and waits for the kernel's word.
    pub(crate) async fn change(
        &self,
        request: RouteNetlinkMessage,
        flags: u16,
        subject: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut answers = self
            .handle
            .clone()
            .request(message)
            .map_err(|_| Error::Closed)?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(e) = answer.payload
                && e.code.is_some()
            {
                return Err(Error::Refused {
                    subject: subject(),
                    source: e.to_io(),
                });
            }
        }
        Ok(())
    }
}

/// `Ok` when the refusal says the change had been made already.
pub(crate) fn unless(result: Result<(), Error>, done_already: &[i32]) -> Result<(), Error> {
    match result {
        Err(e) if e.errno().is_some_and(|n| done_already.contains(&n)) => Ok(()),
        other => other,
    }
}
