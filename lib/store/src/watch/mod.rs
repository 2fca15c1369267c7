//! Watches: the changes of one resource or of a kind, one by one for who keeps up, folded by id for who does not.
//!
//! A watcher has its own queue. Nothing another reader does can fill it, block a commit or end the watch: beyond the
//! queue's limit the changes of one id become one, so memory is bounded by the number of distinct ids and nothing is
//! lost but intermediate versions. There is no error event.

mod bookmark;
mod event;
mod queue;
mod request;
mod ring;

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

pub(crate) use bookmark::kind_hash;
pub use bookmark::{Bookmark, BookmarkError};
pub use event::{Event, EventKind};
pub(crate) use queue::{Opening, Queue, Scope};
pub use request::{QUEUE_LIMIT, Start, WatchError, WatchRequest};
pub use ring::HISTORY;
pub(crate) use ring::Ring;

use crate::state::{KindKey, Shared};

/// Delivers the events of one watch until it is dropped. It never ends by itself.
#[must_use = "dropping it ends the watch"]
pub struct Watcher {
    pub(crate) store: Weak<Shared>,
    pub(crate) key: KindKey,
    pub(crate) queue: Arc<Queue>,
}

impl Watcher {
    /// The next event, if there is one now.
    #[must_use]
    pub fn pop(&self) -> Option<Event> {
        self.queue.pop()
    }

    /// The next event, or a promise to wake the task when there is one. Only the last task to ask is woken.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Event> {
        self.queue.poll_pop(cx)
    }

    /// Waits for the next event; dropping the future loses nothing.
    pub async fn next(&self) -> Event {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// How many changes were merged into another because the reader was behind.
    #[must_use]
    pub fn folded(&self) -> u64 {
        self.queue.folded()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(store) = self.store.upgrade() {
            store.unwatch(&self.key, &self.queue);
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("kind", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
