//! What a client makes of a server's words. Only the answer to its own last question counts.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::super::lease::Lease;
use super::super::message::{Reply, ReplyKind};
use super::{Chance, Client, Send, State};

impl Client {
    pub(super) fn answer(&mut self, now: Duration, reply: Reply, chance: Chance<'_>) -> Vec<Send> {
        if !self.carrier || reply.xid != self.transaction.xid || reply.mac != self.mac {
            return Vec::new();
        }
        let from_ours = |ours: Ipv4Addr| reply.server == Some(ours);
        match (&self.state, reply.kind) {
            (State::Selecting, ReplyKind::Offer) => self.take(now, reply, chance),
            (State::Requesting { server, .. }, ReplyKind::Ack | ReplyKind::Nak)
                if from_ours(*server) =>
            {
                self.settle(now, reply)
            }
            // Whoever answers a renewal speaks for the network: the first server may have been replaced.
            (
                State::InitReboot { .. } | State::Renewing { .. } | State::Rebinding { .. },
                ReplyKind::Ack | ReplyKind::Nak,
            ) => self.settle(now, reply),
            _ => Vec::new(),
        }
    }

    fn take(&mut self, now: Duration, offer: Reply, chance: Chance<'_>) -> Vec<Send> {
        let (Some(server), Some(terms)) = (offer.server, offer.terms) else {
            return Vec::new();
        };
        let address = Lease::new(*terms, server, now).address();
        self.state = State::Requesting { server, address };
        // The request goes on with the transaction of the offer it answers.
        self.transaction.tries = 0;
        self.ask(now, chance)
    }

    /// A server's last word: the lease begins when it was asked for, not when the answer came.
    fn settle(&mut self, now: Duration, reply: Reply) -> Vec<Send> {
        match (reply.kind, reply.terms, reply.server) {
            (ReplyKind::Ack, Some(terms), Some(server)) => {
                let lease = Lease::new(*terms, server, self.transaction.asked);
                self.state = State::Bound { lease };
                self.transaction.tries = 0;
                self.refusals = 0;
                self.error.clear();
            }
            (ReplyKind::Nak, ..) => {
                self.error = match reply.server {
                    Some(server) => format!("server {server} refused the address"),
                    None => "a server refused the address".to_owned(),
                };
                self.refusals = self.refusals.saturating_add(1);
                self.rest(now);
            }
            _ => {}
        }
        Vec::new()
    }
}
