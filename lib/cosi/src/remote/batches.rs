//! What upstream tells, watch by watch, and how that ends.

use std::pin::Pin;

use futures_util::{Stream, stream};

use crate::wire::{ClientError, WatchStream, WireEvent};

/// What one watch said at once, or why it broke; the last item is an error.
pub(crate) type Batches = Pin<Box<dyn Stream<Item = Result<Vec<WireEvent>, End>> + Send>>;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// Upstream's status is another one now.
    #[error("upstream has another status")]
    News,
    /// A call failed.
    #[error("the connection broke")]
    Broken(#[source] ClientError),
    /// A watch ended.
    #[error("upstream ended a watch")]
    Ended,
    /// A watch failed on the other side.
    #[error("upstream's watch failed: {0}")]
    Errored(String),
}

/// A watch as a stream of what it has told at once; everything that was received together is committed together.
pub(crate) fn in_batches(watch: WatchStream) -> Batches {
    let batches = stream::unfold(Some(watch), |watch| async move {
        let mut watch = watch?;
        match batch(&mut watch).await {
            Ok(events) => Some((Ok(events), Some(watch))),
            Err(end) => Some((Err(end), None)),
        }
    });
    Box::pin(batches)
}

async fn batch(watch: &mut WatchStream) -> Result<Vec<WireEvent>, End> {
    let mut told = watch.next().await.map_err(End::Broken)?.ok_or(End::Ended)?;
    let mut events = Vec::new();
    loop {
        if let WireEvent::Errored(reason) = told.event {
            return Err(End::Errored(reason));
        }
        events.push(told.event);
        match watch.received().map_err(End::Broken)? {
            Some(more) => told = more,
            None => return Ok(events),
        }
    }
}
