//! One record per call: who, as what, did which thing to what, from where, and how it ended.
//!
//! The record is opened when the call arrives and written when it is over, streams included, whichever way it ends: a guard does
//! it on drop, so no path can forget. Denied calls are recorded too. Secrets never enter: targets are names.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use jiff::Timestamp;
use pki::Roles;
use tonic::{Code, Status};

use super::peer::Peer;

/// Room for a namespace, a type and an id of usual length.
const TARGET_CHARACTERS: usize = 256;

/// A finished call.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it began.
    pub time: Timestamp,
    /// The common name in the certificate; empty when there was none.
    pub subject: String,
    /// The certificate's serial number; empty when there was none.
    pub serial: String,
    /// The certificate's roles.
    pub roles: Roles,
    /// The path of the method.
    pub method: String,
    /// What it was about, e.g. a service or a resource; empty when the method says it all.
    pub target: String,
    /// Where it came from.
    pub source: SocketAddr,
    /// How it ended. A caller that hung up counts as cancelled.
    pub result: Code,
    /// How long it took.
    pub took: Duration,
}

/// Where records go besides the log.
pub trait Sink: Send + Sync + 'static {
    /// Takes a finished call. Called on the server's own tasks: it must not block.
    fn record(&self, record: &Record);
}

/// Writes records to the log, target `audit`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Sink for Log {
    fn record(&self, record: &Record) {
        tracing::info!(
            target: "audit",
            subject = record.subject,
            serial = record.serial,
            roles = %record.roles,
            method = record.method,
            object = record.target,
            source = %record.source,
            result = ?record.result,
            millis = u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX),
            "call",
        );
    }
}

/// Records go to both.
impl<A: Sink, B: Sink> Sink for (A, B) {
    fn record(&self, record: &Record) {
        self.0.record(record);
        self.1.record(record);
    }
}

/// What a handler adds to the record of its call; it rides in the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct Target(Arc<Mutex<String>>);

impl Target {
    /// Says what the call is about. Parts of it may come from the caller, so control characters are dropped and more than
    /// `TARGET_CHARACTERS` cut.
    pub fn set(&self, target: impl AsRef<str>) {
        let text = target
            .as_ref()
            .chars()
            .filter(|character| !character.is_control());
        let text = text.take(TARGET_CHARACTERS).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Names the target of a call for its record.
pub fn about<T>(request: &tonic::Request<T>, target: &str) {
    if let Some(record) = request.extensions().get::<Target>() {
        record.set(target);
    }
}

/// A call that is not over yet; dropping it writes the record.
pub(super) struct Open {
    sink: Arc<dyn Sink>,
    begun: Instant,
    target: Target,
    record: Record,
}

impl Open {
    pub(super) fn new(sink: Arc<dyn Sink>, method: &str, peer: &Peer, now: Timestamp) -> Self {
        let certificate = peer.certificate();
        let record = Record {
            time: now,
            subject: certificate
                .map(|facts| facts.subject.clone())
                .unwrap_or_default(),
            serial: certificate
                .map(|facts| facts.serial.clone())
                .unwrap_or_default(),
            roles: certificate.map(|facts| facts.roles).unwrap_or_default(),
            method: method.to_owned(),
            target: String::new(),
            source: peer.source(),
            result: Code::Cancelled,
            took: Duration::ZERO,
        };
        Self {
            sink,
            begun: Instant::now(),
            target: Target::default(),
            record,
        }
    }

    pub(super) fn target(&self) -> Target {
        self.target.clone()
    }

    pub(super) fn ended(&mut self, result: Code) {
        self.record.result = result;
    }

    /// Takes the result from headers or trailers, if it is in them.
    pub(super) fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.ended(status.code());
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.record.target = self.target.take();
        self.record.took = self.begun.elapsed();
        self.sink.record(&self.record);
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}
