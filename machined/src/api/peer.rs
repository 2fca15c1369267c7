//! Who is at the other end of a connection.
//!
//! Made once per connection from the verified handshake and cheap to clone, since every call carries it. It holds facts only;
//! what follows from them is `authz`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pki::{Certificate, Fingerprint};

use super::admission::Pass;
use super::node::Caller;
use super::proof::Proof;

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
