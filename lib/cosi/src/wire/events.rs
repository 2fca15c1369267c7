//! What a watch tells its client, event by event.

use std::collections::VecDeque;
use std::sync::Arc;

use store::{Registry, Resource};
use tonic::Streaming;

use super::convert;
use super::error::{ClientError, called};
use super::proto::{self, EventType};

/// What happened to a watched resource.
#[derive(Clone, Debug)]
pub enum WireEvent {
    /// It is there.
    Created(Resource),
    /// It was written again.
    Updated {
        /// The version before, if the server sent it.
        old: Option<Box<Resource>>,
        /// The version now.
        new: Resource,
    },
    /// It is gone.
    Destroyed(Resource),
    /// What was there in the beginning has all been told.
    Bootstrapped,
    /// The watch is broken, says the server.
    Errored(String),
    /// Nothing.
    Noop,
}

/// An event, and the place after it.
#[derive(Clone, Debug)]
pub struct Told {
    /// What happened.
    pub event: WireEvent,
    /// Where to resume after it; the events of a folded batch have none but the last.
    pub bookmark: Option<Vec<u8>>,
}

/// The events of a watch.
#[derive(Debug)]
pub struct WatchStream {
    messages: Streaming<proto::WatchResponse>,
    waiting: VecDeque<proto::Event>,
    registry: Arc<Registry>,
}

impl WatchStream {
    pub(crate) fn new(
        messages: Streaming<proto::WatchResponse>,
        waiting: Vec<proto::Event>,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            messages,
            waiting: waiting.into(),
            registry,
        }
    }

    /// The next event; `None` when the server has ended the watch. Cancelling loses nothing.
    ///
    /// # Errors
    /// When the stream broke, or sent what is no event.
    pub async fn next(&mut self) -> Result<Option<Told>, ClientError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return self.event(event).map(Some);
            }
            let message = self.messages.message().await;
            match message.map_err(|status| called("watch", status))? {
                Some(message) => self.waiting.extend(message.event),
                None => return Ok(None),
            }
        }
    }

    /// The next event, if it has been received already.
    ///
    /// # Errors
    /// When it is no event.
    pub fn received(&mut self) -> Result<Option<Told>, ClientError> {
        let event = self.waiting.pop_front();
        event.map(|event| self.event(event)).transpose()
    }

    fn event(&self, event: proto::Event) -> Result<Told, ClientError> {
        let resource = |resource| {
            convert::from_resource(resource, &self.registry).map_err(ClientError::Malformed)
        };
        let kind = EventType::try_from(event.event_type).unwrap_or(EventType::Noop);
        let event_kind = match kind {
            EventType::Created => WireEvent::Created(resource(event.resource)?),
            EventType::Updated => WireEvent::Updated {
                old: event
                    .old
                    .map(|old| resource(Some(old)).map(Box::new))
                    .transpose()?,
                new: resource(event.resource)?,
            },
            EventType::Destroyed => WireEvent::Destroyed(resource(event.resource)?),
            EventType::Bootstrapped => WireEvent::Bootstrapped,
            EventType::Errored => WireEvent::Errored(event.error.unwrap_or_default()),
            EventType::Noop => WireEvent::Noop,
        };
        Ok(Told {
            event: event_kind,
            bookmark: event.bookmark,
        })
    }
}
