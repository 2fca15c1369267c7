//! The DHCPv4 client of one link as a pure machine (RFC 2131, figure 5): time, packets and chance come in, packets go out.
//!
//! ```text
//!            carrier            offer               ack
//!   Init ----------> Selecting -------> Requesting -------> Bound <-------------+
//!    ^                                      | nak, silence    | T1              | ack
//!    +--------------------------------------+                 v                 |
//!    |  nak, expiry                                        Renewing ------------+
//!    +------------------------------------------------------- | T2              |
//!    |  nak, expiry                                           v                 |
//!    +---------------------------------------------------- Rebinding -----------+
//!
//!   InitReboot: holds a remembered lease and asks whether it still counts; ack -> Bound, nak -> Init, silence -> by the clock.
//! ```
//!
//! It holds on to a lease until the lease is over or a server refuses it: silence, a lost carrier or a restart take nothing away.
//! It never reads a clock, never sleeps, and nothing makes it stop asking.

mod answer;
mod ask;

use std::net::Ipv4Addr;
use std::time::Duration;

use resources::net::{Dhcp4Lease, Dhcp4Phase};

use super::lease::Lease;
use super::message::{Mac, Reply, Request};
use ask::backoff;

/// Requests for an offer without an answer before asking everyone again: a minute's worth.
pub(super) const PATIENCE: u32 = 4;
/// Requests for a remembered lease without an answer before its own times count again.
const REBOOT_PATIENCE: u32 = 3;
/// The error of a client whose link passes no packets.
pub(super) const NO_CARRIER: &str = "no carrier";
/// What may happen to a client.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The link passes packets.
    CarrierUp,
    /// It no longer does.
    CarrierDown,
    /// A server spoke.
    Reply(Box<Reply>),
    /// The deadline has come.
    Tick,
    /// Nobody wants this client any more; nothing may follow.
    Stop,
}

/// Whom a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Every server on the link, from no address.
    Everyone,
    /// One server, from the leased address.
    Server {
        /// The server.
        server: Ipv4Addr,
        /// The address we hold.
        from: Ipv4Addr,
    },
}

/// What a client wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// The message.
    pub request: Request,
    /// To whom.
    pub to: To,
}

/// Where chance comes from: 32 even bits per call.
pub type Chance<'a> = &'a mut dyn FnMut() -> u32;

#[derive(Debug, Clone)]
enum State {
    /// No lease, nothing asked. Left at once when there is a carrier, or after `at`.
    Init { at: Duration },
    /// Asked everyone. Left by an offer.
    Selecting,
    /// Took an offer. Left by its server's answer, or by too much silence.
    Requesting { server: Ipv4Addr, address: Ipv4Addr },
    /// Holds a remembered lease. Left by any server's answer, or by too much silence.
    InitReboot { lease: Lease },
    /// Holds a lease. Left at T1.
    Bound { lease: Lease },
    /// Asks its server for time. Left by an answer, or at T2.
    Renewing { lease: Lease },
    /// Asks any server for time. Left by an answer, or when the lease is over.
    Rebinding { lease: Lease },
}

/// One transaction: its number, when it began, how often was asked, when to ask again.
#[derive(Debug, Clone, Copy, Default)]
struct Transaction {
    xid: u32,
    began: Duration,
    asked: Duration,
    tries: u32,
    again: Duration,
}

/// One link's client.
#[derive(Debug, Clone)]
pub struct Client {
    mac: Mac,
    carrier: bool,
    state: State,
    transaction: Transaction,
    /// Refusals in a row: a server that offers what it then refuses must not make us flood it.
    refusals: u32,
    error: String,
}

impl Client {
    /// A client that waits for a carrier; with a remembered lease it holds that meanwhile.
    #[must_use]
    pub fn new(mac: Mac, remembered: Option<Lease>) -> Self {
        Self {
            mac,
            carrier: false,
            state: remembered.map_or(State::Init { at: Duration::ZERO }, |lease| {
                State::InitReboot { lease }
            }),
            transaction: Transaction::default(),
            refusals: 0,
            error: String::new(),
        }
    }

    /// The lease it holds.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Init { .. } | State::Selecting | State::Requesting { .. } => None,
            State::InitReboot { lease }
            | State::Bound { lease }
            | State::Renewing { lease }
            | State::Rebinding { lease } => Some(lease),
        }
    }

    /// What the node shows and remembers of it.
    #[must_use]
    pub fn status(&self) -> Dhcp4Lease {
        let phase = match &self.state {
            State::Init { .. } => Dhcp4Phase::Init,
            State::Selecting => Dhcp4Phase::Selecting,
            State::Requesting { .. } => Dhcp4Phase::Requesting,
            State::InitReboot { .. } => Dhcp4Phase::InitReboot,
            State::Bound { .. } => Dhcp4Phase::Bound,
            State::Renewing { .. } => Dhcp4Phase::Renewing,
            State::Rebinding { .. } => Dhcp4Phase::Rebinding,
        };
        let kept = self
            .lease()
            .map(|l| l.to_resource(phase))
            .unwrap_or_default();
        let error = if self.carrier {
            self.error.clone()
        } else {
            NO_CARRIER.to_owned()
        };
        Dhcp4Lease {
            phase,
            attempts: self.transaction.tries,
            error,
            ..kept
        }
    }

    /// When `Tick` is due; never, when absent.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let expiry = self.lease().and_then(|l| l.expires);
        let next = match &self.state {
            // Without a carrier only the end of a lease matters.
            _ if !self.carrier => None,
            State::Init { at } => Some(*at),
            State::Bound { lease } if lease.expires.is_none() => None,
            State::Bound { lease } => Some(lease.renew),
            State::Renewing { lease } => Some(self.transaction.again.min(lease.rebind)),
            _ => Some(self.transaction.again),
        };
        match (next, expiry) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Lets something happen.
    pub fn step(&mut self, now: Duration, event: Event, chance: Chance<'_>) -> Vec<Send> {
        match event {
            Event::CarrierDown => {
                self.carrier = false;
                if self.lease().is_none() {
                    self.rest(now);
                }
                Vec::new()
            }
            Event::CarrierUp if self.carrier => Vec::new(),
            Event::CarrierUp => {
                self.carrier = true;
                self.reconnect(now, chance)
            }
            Event::Reply(reply) => self.answer(now, *reply, chance),
            Event::Tick => self.tick(now, chance),
            Event::Stop => self.stop(now, chance),
        }
    }

    /// The other end of a new carrier may be another network: ask before going on.
    fn reconnect(&mut self, now: Duration, chance: Chance<'_>) -> Vec<Send> {
        match self.lease().cloned() {
            Some(lease) if !lease.is_over(now) => {
                self.state = State::InitReboot { lease };
                self.begin(now, chance)
            }
            _ => self.discover(now, chance),
        }
    }

    fn tick(&mut self, now: Duration, chance: Chance<'_>) -> Vec<Send> {
        if self.lease().is_some_and(|l| l.is_over(now)) {
            self.error = "the lease ran out and no server answered".to_owned();
            return self.discover(now, chance);
        }
        if !self.carrier {
            return Vec::new();
        }
        match self.state.clone() {
            State::Init { at } if now >= at => self.discover(now, chance),
            State::Bound { lease } if lease.expires.is_some() && now >= lease.renew => {
                self.resume(now, lease);
                self.begin(now, chance)
            }
            State::Renewing { lease } if now >= lease.rebind => {
                self.state = State::Rebinding { lease };
                self.begin(now, chance)
            }
            State::Init { .. } | State::Bound { .. } => Vec::new(),
            _ if now < self.transaction.again => Vec::new(),
            State::Requesting { server, .. } if self.transaction.tries >= PATIENCE => {
                self.error = format!("server {server} offered an address and then fell silent");
                self.discover(now, chance)
            }
            State::InitReboot { lease } if self.transaction.tries >= REBOOT_PATIENCE => {
                self.error =
                    "no server answered whether the remembered lease still counts".to_owned();
                self.resume(now, lease);
                if matches!(self.state, State::Bound { .. }) {
                    Vec::new()
                } else {
                    self.begin(now, chance)
                }
            }
            _ => self.ask(now, chance),
        }
    }

    /// Holds a lease again, in the phase its own times say.
    fn resume(&mut self, now: Duration, lease: Lease) {
        self.state = match &lease.expires {
            Some(_) if now >= lease.rebind => State::Rebinding { lease },
            Some(_) if now >= lease.renew => State::Renewing { lease },
            _ => State::Bound { lease },
        };
    }

    /// Without a lease and about to ask: at once after the first refusal, later after more of them.
    fn rest(&mut self, now: Duration) {
        let wait = match self.refusals {
            0 | 1 => Duration::ZERO,
            n => backoff(n - 2),
        };
        self.state = State::Init { at: now + wait };
        self.transaction.tries = 0;
    }

    fn discover(&mut self, now: Duration, chance: Chance<'_>) -> Vec<Send> {
        self.rest(now);
        if !self.carrier {
            return Vec::new();
        }
        self.state = State::Selecting;
        self.begin(now, chance)
    }

    fn begin(&mut self, now: Duration, chance: Chance<'_>) -> Vec<Send> {
        self.transaction = Transaction {
            xid: chance(),
            began: now,
            asked: now,
            tries: 0,
            again: now,
        };
        self.ask(now, chance)
    }
}

#[cfg(test)]
mod tests;
