//! One watch on the wire: the ready marker, then the store's events, alone or in batches.
//!
//! Holds a watcher and nothing else; a peer that does not read is held back by HTTP/2 flow control while the watcher
//! folds. The stream ends only when the peer goes away.

use std::sync::Arc;

use futures_util::{Stream, stream};
use prost::Message;
use store::{
    Bookmark, Event, EventKind, Reference, Start, Store, WatchError, WatchRequest, Watcher,
};
use tonic::{Code, Status};

use super::codes::bad_query;
use super::proto::EventType;
use super::{convert, proto};
use crate::clock::Clock;
use crate::error::report;

/// How many bytes a batch may have before it is sent; far below the 4 MiB that clients accept by default, since one
/// event more always fits.
const BATCH_BYTES: usize = 256 * 1024;

/// The first version of clients that understands BOOTSTRAPPED.
const API_WITH_BOOTSTRAPPED: i32 = 1;

/// A watch that has begun.
pub(crate) struct Watching {
    watcher: Watcher,
    clock: Arc<dyn Clock>,
    namespace: String,
    ty: String,
    aggregated: bool,
    bootstrapped: bool,
    /// The ready marker was sent.
    ready: bool,
}

impl Watching {
    pub(crate) fn open(
        store: &Store,
        clock: &Arc<dyn Clock>,
        request: proto::WatchRequest,
    ) -> Result<Self, Status> {
        let bootstrapped = request.api_version >= API_WITH_BOOTSTRAPPED;
        let options = request.options.unwrap_or_default();
        let single = request.id.is_some();
        let aggregated = options.aggregated && !single;
        let start = start(&options)?;
        let mut wanted = WatchRequest::kind(&*request.namespace, &*request.r#type);
        wanted.start = start;
        if let Some(id) = request.id {
            if options.bootstrap_contents || !options.label_query.is_empty() {
                return Err(Status::unimplemented(
                    "a watch of one resource takes neither bootstrap contents nor label queries",
                ));
            }
            wanted.id = Some(Arc::from(id));
        } else {
            wanted.bookmark = options.bootstrap_bookmark;
            wanted.selector = convert::from_query(options.label_query, options.id_query)
                .map_err(|error| bad_query(&error))?;
        }
        let watcher = store.watch(wanted).map_err(|error| refused(&error))?;
        Ok(Self {
            watcher,
            clock: Arc::clone(clock),
            namespace: request.namespace,
            ty: request.r#type,
            aggregated,
            bootstrapped,
            ready: false,
        })
    }

    /// Cancelling loses nothing but the watch.
    pub(crate) fn into_stream(
        self,
    ) -> impl Stream<Item = Result<proto::WatchResponse, Status>> + Send {
        stream::unfold(self, |mut watching| async move {
            let events = watching.next().await;
            Some((Ok(proto::WatchResponse { event: events }), watching))
        })
    }

    async fn next(&mut self) -> Vec<proto::Event> {
        if !self.ready {
            self.ready = true;
            return Vec::new();
        }
        loop {
            let event = self.watcher.next().await;
            let Some(first) = self.event(&event) else {
                continue;
            };
            let mut bytes = first.encoded_len();
            let mut events = vec![first];
            while self.aggregated && bytes < BATCH_BYTES {
                let Some(event) = self.watcher.pop() else {
                    break;
                };
                if let Some(event) = self.event(&event) {
                    bytes += event.encoded_len();
                    events.push(event);
                }
            }
            return events;
        }
    }

    /// The event as the wire has it; `None` for what the client's version does not know.
    fn event(&self, event: &Event) -> Option<proto::Event> {
        let tombstone =
            |id: &str| convert::tombstone(&self.namespace, &self.ty, id, self.clock.now());
        let (kind, resource, old) = match &event.kind {
            EventKind::Created(entry) => (EventType::Created, convert::resource(entry), None),
            EventKind::Updated { old, new } => (
                EventType::Updated,
                convert::resource(new),
                Some(convert::resource(old)),
            ),
            EventKind::Destroyed(entry) => (EventType::Destroyed, convert::resource(entry), None),
            EventKind::Absent(Reference { id, .. }) => (EventType::Destroyed, tombstone(id), None),
            EventKind::Bootstrapped if !self.bootstrapped => return None,
            EventKind::Bootstrapped => (EventType::Bootstrapped, tombstone(""), None),
            EventKind::Noop => (EventType::Noop, tombstone(""), None),
        };
        Some(proto::Event {
            resource: Some(resource),
            event_type: kind.into(),
            old,
            error: None,
            bookmark: event.bookmark.map(Bookmark::to_bytes),
        })
    }
}

/// Where to begin: one of three ways, or now.
fn start(options: &proto::WatchOptions) -> Result<Start, Status> {
    let tail = usize::try_from(options.tail_events).unwrap_or(0);
    let ways = [
        options.bootstrap_contents,
        tail > 0,
        options.start_from_bookmark.is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(Status::unknown(
            "bootstrap contents, tail events and a bookmark exclude each other",
        ));
    }
    if let Some(bytes) = &options.start_from_bookmark {
        let bookmark = Bookmark::from_bytes(bytes)
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        return Ok(Start::After(bookmark));
    }
    Ok(match (options.bootstrap_contents, tail) {
        (true, _) => Start::Contents,
        (false, 0) => Start::Now,
        (false, tail) => Start::Tail(tail),
    })
}

fn refused(error: &WatchError) -> Status {
    let code = match error {
        WatchError::Bookmark(_) => Code::FailedPrecondition,
        WatchError::Single => Code::Unimplemented,
    };
    Status::new(code, report(error))
}
