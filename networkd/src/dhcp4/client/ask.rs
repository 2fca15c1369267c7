//! What a client says, and how long it waits for an answer.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::super::message::{Request, RequestKind};
use super::{Chance, Client, Send, State, To};

/// The first wait for an answer, doubled until `LONGEST` (RFC 2131, 4.1).
const FIRST: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_secs(64);
/// Every wait is moved by up to this much either way (RFC 2131, 4.1).
const JITTER: Duration = Duration::from_secs(1);
/// The shortest wait while renewing and rebinding (RFC 2131, 4.4.5).
const RENEW_LEAST: Duration = Duration::from_secs(60);

impl Client {
    /// Sends what the state asks for, and says when to ask again.
    pub(super) fn ask(&mut self, now: Duration, chance: Chance<'_>) -> Vec<Send> {
        let Some(send) = self.question(now) else {
            return Vec::new();
        };
        let wait = match &self.state {
            State::Renewing { lease } => half(now, Some(lease.rebind)),
            State::Rebinding { lease } => half(now, lease.expires),
            _ => jittered(backoff(self.transaction.tries), chance),
        };
        self.transaction.asked = now;
        self.transaction.tries = self.transaction.tries.saturating_add(1);
        self.transaction.again = now + wait;
        vec![send]
    }

    /// The words of the state's question (RFC 2131, table 5); some states have none.
    fn question(&self, now: Duration) -> Option<Send> {
        let secs = now.saturating_sub(self.transaction.began).as_secs();
        let mut request = Request {
            kind: RequestKind::Request,
            xid: self.transaction.xid,
            secs: u16::try_from(secs).unwrap_or(u16::MAX),
            client: Ipv4Addr::UNSPECIFIED,
            mac: self.mac,
            requested: None,
            server: None,
        };
        let mut to = To::Everyone;
        match &self.state {
            State::Init { .. } | State::Bound { .. } => return None,
            State::Selecting => request.kind = RequestKind::Discover,
            State::Requesting { server, address } => {
                (request.requested, request.server) = (Some(*address), Some(*server));
            }
            State::InitReboot { lease } => request.requested = Some(lease.address()),
            State::Renewing { lease } => {
                let (server, from) = (lease.server, lease.address());
                request.client = from;
                to = To::Server { server, from };
            }
            State::Rebinding { lease } => request.client = lease.address(),
        }
        Some(Send { request, to })
    }

    pub(super) fn stop(&mut self, now: Duration, chance: Chance<'_>) -> Vec<Send> {
        let held = self.lease().cloned();
        self.rest(now);
        held.filter(|l| self.carrier && !l.is_over(now))
            .map(|lease| Send {
                request: Request {
                    kind: RequestKind::Release,
                    xid: chance(),
                    secs: 0,
                    client: lease.address(),
                    mac: self.mac,
                    requested: None,
                    server: Some(lease.server),
                },
                to: To::Server {
                    server: lease.server,
                    from: lease.address(),
                },
            })
            .into_iter()
            .collect()
    }
}

pub(super) fn backoff(tries: u32) -> Duration {
    FIRST
        .saturating_mul(2_u32.saturating_pow(tries))
        .min(LONGEST)
}

fn jittered(wait: Duration, chance: Chance<'_>) -> Duration {
    // An even choice of [-JITTER, +JITTER] in milliseconds.
    let span = u32::try_from(JITTER.as_millis()).unwrap_or(0) * 2 + 1;
    wait.saturating_sub(JITTER) + Duration::from_millis(u64::from(chance() % span))
}

/// Half of what is left until a deadline, but not less than a minute.
fn half(now: Duration, until: Option<Duration>) -> Duration {
    until
        .map_or(LONGEST, |u| u.saturating_sub(now) / 2)
        .max(RENEW_LEAST)
}
