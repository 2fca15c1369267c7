//! Who is at the other end of a connection.
//!
//! Made once per connection from the verified handshake and cheap to clone, since every call carries it. It holds facts only;
//! what follows from them is `authz`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pki::pairing::NoRandomness;
use pki::{Certificate, Challenge, Fingerprint};

use super::admission::Pass;
use super::node::Caller;
use super::proof::Proof;

/// How long a challenge can be answered: making three signatures and a round trip, on the slowest of machines.
const CHALLENGE: Duration = Duration::from_secs(60);

/// The other end of one connection.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: SocketAddr,
    proof: Option<Proof>,
    /// The authorities at the time of the handshake.
    clients: BTreeSet<Fingerprint>,
    paired: AtomicBool,
    /// What it was asked to sign and has not yet, and since when.
    challenge: Mutex<Option<(Challenge, Instant)>>,
    pass: Option<Pass>,
}

impl Peer {
    /// A peer that showed `proof`, verified against `clients`, or none.
    pub(super) fn new(
        source: SocketAddr,
        proof: Option<Proof>,
        clients: BTreeSet<Fingerprint>,
        pass: Option<Pass>,
    ) -> Self {
        let paired = AtomicBool::new(false);
        Self(Arc::new(Inner {
            source,
            proof,
            clients,
            paired,
            challenge: Mutex::default(),
            pass,
        }))
    }

    /// Where it calls from.
    pub fn source(&self) -> SocketAddr {
        self.0.source
    }

    /// The certificate it proved, if it was asked for one.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.0.proof.as_ref().map(Proof::certificate)
    }

    /// The authorities its certificate was verified against.
    pub fn clients(&self) -> &BTreeSet<Fingerprint> {
        &self.0.clients
    }

    /// Whether it has shown the pairing secret on this connection.
    pub fn is_paired(&self) -> bool {
        self.0.paired.load(Ordering::Acquire)
    }

    /// Notes that it has shown the pairing secret. Its connection is from now on not given up for newer ones.
    pub(super) fn set_paired(&self) {
        self.0.paired.store(true, Ordering::Release);
        if let Some(pass) = &self.0.pass {
            pass.prove();
        }
    }

    /// A new challenge, which only this connection can answer; the one before is void.
    ///
    /// # Errors
    /// The random source fails.
    pub fn challenge(&self, now: Instant) -> Result<Challenge, NoRandomness> {
        let new = Challenge::random()?;
        *self.open_challenge() = Some((new, now));
        Ok(new)
    }

    /// The challenge that it has to answer, unless it has done so or was too slow. It is void now.
    pub fn take_challenge(&self, now: Instant) -> Option<Challenge> {
        let (challenge, since) = self.open_challenge().take()?;
        (now.duration_since(since) <= CHALLENGE).then_some(challenge)
    }

    fn open_challenge(&self) -> std::sync::MutexGuard<'_, Option<(Challenge, Instant)>> {
        // It is there or it is not, whoever panicked meanwhile.
        self.0
            .challenge
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer as the cause of a change.
    pub fn caller(&self) -> Caller {
        let subject = match self.certificate() {
            Some(certificate) => certificate.subject.clone(),
            None => "pairing".to_owned(),
        };
        Caller {
            subject,
            source: self.source(),
            proof: self.0.proof.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_once_and_soon() {
        let source = "192.0.2.1:4000".parse().unwrap();
        let peer = || Peer::new(source, None, BTreeSet::new(), None);
        let (one, other, now) = (peer(), peer(), Instant::now());
        assert_eq!(one.take_challenge(now), None);
        let first = one.challenge(now).unwrap();
        let second = one.challenge(now).unwrap();
        assert_ne!(first, second);
        assert_eq!(other.take_challenge(now), None);
        assert_eq!(one.take_challenge(now + CHALLENGE), Some(second));
        assert_eq!(one.take_challenge(now), None);
        one.challenge(now).unwrap();
        let late = now + CHALLENGE + Duration::from_secs(1);
        assert_eq!(one.take_challenge(late), None);
    }
}
