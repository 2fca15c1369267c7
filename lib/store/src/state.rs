//! The store: one writer at a time, any number of readers that never wait, watchers and subscribers.
//!
//! Sans-I/O: no clock, no tasks, no files; time comes with each commit. A commit prepares the new root beside the old
//! one, makes it visible with one pointer swap, then tells watchers and subscribers, all inside the writer's lock, so
//! everybody sees commits in one order. Tasks are woken after the lock is released.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::Waker;

use jiff::Timestamp;

use crate::apply::{Committed, apply};
use crate::dirty::{DirtySink, Matcher, Subscription};
use crate::entry::Change;
use crate::metadata::{Reference, Revision};
use crate::refusal::CommitError;
use crate::root::Root;
use crate::snapshot::{Snapshot, Walk};
use crate::transaction::Transaction;
use crate::watch::{
    BookmarkError, Event, EventKind, Opening, Queue, Ring, Scope, Start, WatchError, WatchRequest,
    Watcher, kind_hash,
};

/// Namespace and type.
pub(crate) type KindKey = (Arc<str>, Arc<str>);

/// The state of a process. Cheap to clone; clones are the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    epoch: u64,
    /// Held only to copy or swap the pointer.
    root: RwLock<Arc<Root>>,
    writer: Mutex<Writer>,
}

/// What only a commit and those who come and go touch.
#[derive(Default)]
struct Writer {
    /// The place of the last change in the store's stream.
    sequence: u64,
    hubs: BTreeMap<KindKey, Hub>,
    next_subscriber: u64,
    subscribers: BTreeMap<Arc<str>, BTreeMap<u64, Subscriber>>,
}

/// What happens around one kind.
#[derive(Default)]
struct Hub {
    ring: Ring,
    watchers: Vec<Arc<Queue>>,
}

struct Subscriber {
    matcher: Matcher,
    sink: Arc<dyn DirtySink>,
}

impl Store {
    /// An empty store. The epoch tells its bookmarks from those of another life; never use one twice.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self::with_root(epoch, Arc::default())
    }

    fn with_root(epoch: u64, root: Arc<Root>) -> Self {
        Self {
            shared: Arc::new(Shared {
                epoch,
                root: RwLock::new(root),
                writer: Mutex::default(),
            }),
        }
    }

    /// Another store with the same contents and no watchers: for trying out what a change would do.
    #[must_use]
    pub fn fork(&self, epoch: u64) -> Self {
        Self::with_root(epoch, self.shared.load())
    }

    /// The epoch it was made with.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    /// The state now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            root: self.shared.load(),
            epoch: self.shared.epoch,
        }
    }

    /// The revision now.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.shared.load().revision
    }

    /// How many watch now.
    #[must_use]
    pub fn watchers(&self) -> usize {
        let writer = self.shared.writer();
        writer.hubs.values().map(|hub| hub.watchers.len()).sum()
    }

    /// Does all operations of the transaction, or none.
    ///
    /// # Errors
    /// The first operation that is refused.
    pub fn commit(
        &self,
        transaction: Transaction,
        now: Timestamp,
    ) -> Result<Committed, CommitError> {
        let mut writer = self.shared.writer();
        let before = self.shared.load();
        let (after, committed) = apply(&before, transaction, now)?;
        // Also without changes: what was created and destroyed at once has used up a version.
        self.shared.publish(Arc::new(after));
        let mut wakers = Vec::new();
        for change in &committed.changes {
            writer.tell(committed.revision, change, &mut wakers);
        }
        drop(writer);
        wakers.into_iter().for_each(Waker::wake);
        Ok(committed)
    }

    /// Begins to watch.
    ///
    /// # Errors
    /// When the place to begin at is unknown, or the request contradicts itself.
    pub fn watch(&self, request: WatchRequest) -> Result<Watcher, WatchError> {
        if request.id.is_some()
            && (request.start == Start::Contents || !request.selector.labels.is_empty())
        {
            return Err(WatchError::Single);
        }
        let mut writer = self.shared.writer();
        let key = (Arc::clone(&request.namespace), Arc::clone(&request.ty));
        let scope = Scope {
            epoch: self.shared.epoch,
            kind: kind_hash(&request.namespace, &request.ty),
            id: request.id.clone(),
            selector: request.selector.clone(),
            limit: request.limit,
        };
        let opening = writer.opening(&self.shared.load(), &request, &scope)?;
        let queue = Arc::new(Queue::new(scope, opening));
        let hub = writer.hubs.entry(key.clone()).or_default();
        hub.watchers.push(Arc::clone(&queue));
        Ok(Watcher {
            store: Arc::downgrade(&self.shared),
            key,
            queue,
        })
    }

    /// Marks the sink for every matching change from now on, inside the commit.
    pub fn subscribe(&self, matcher: Matcher, sink: Arc<dyn DirtySink>) -> Subscription {
        let mut writer = self.shared.writer();
        let number = writer.next_subscriber;
        writer.next_subscriber += 1;
        writer
            .subscribers
            .entry(Arc::clone(&matcher.ty))
            .or_default()
            .insert(number, Subscriber { matcher, sink });
        Subscription {
            store: Arc::downgrade(&self.shared),
            number,
        }
    }
}

impl Shared {
    fn load(&self) -> Arc<Root> {
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&root)
    }

    fn publish(&self, root: Arc<Root>) {
        let mut slot = self.root.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *slot, root);
        drop(slot);
        // Freeing the last reference to a large root takes time that readers need not wait for.
        drop(old);
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A sink that panicked was the last thing to run: the root is whole, and the panic is its owner's.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unwatch(&self, key: &KindKey, queue: &Arc<Queue>) {
        let mut writer = self.writer();
        let Some(hub) = writer.hubs.get_mut(key) else {
            return;
        };
        hub.watchers.retain(|held| !Arc::ptr_eq(held, queue));
        if hub.watchers.is_empty() && hub.ring.is_untouched() {
            writer.hubs.remove(key);
        }
    }

    pub(crate) fn unsubscribe(&self, number: u64) {
        self.writer().subscribers.retain(|_, of_type| {
            of_type.remove(&number);
            !of_type.is_empty()
        });
    }
}

impl Writer {
    /// Puts a change into the kind's history and before everybody who wants to know.
    fn tell(&mut self, revision: Revision, change: &Change, wakers: &mut Vec<Waker>) {
        self.sequence += 1;
        let Reference { namespace, ty, .. } = change.reference();
        let hub = self.hubs.entry((namespace, Arc::clone(&ty))).or_default();
        hub.ring.push(self.sequence, change);
        let woken = hub
            .watchers
            .iter()
            .filter_map(|queue| queue.push(self.sequence, change));
        wakers.extend(woken);
        for subscriber in self
            .subscribers
            .get(&ty)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            if subscriber.matcher.matches(change) {
                subscriber.sink.mark(revision, change);
            }
        }
    }

    /// What a new watch begins with.
    fn opening(
        &self,
        root: &Root,
        request: &WatchRequest,
        scope: &Scope,
    ) -> Result<Opening, WatchError> {
        let mut opening = Opening::default();
        let here = Some(scope.bookmark(self.sequence));
        let key = (Arc::clone(&request.namespace), Arc::clone(&request.ty));
        let ring = self.hubs.get(&key).map(|hub| &hub.ring);
        let id = request.id.as_ref();
        match request.start {
            Start::Now => {
                let first = id.map(|id| match root.get(&key.0, &key.1, id) {
                    Some(entry) => EventKind::Created(Arc::clone(entry)),
                    None => EventKind::Absent(Reference::new(key.0, key.1, Arc::clone(id))),
                });
                opening.events.extend(first.map(|kind| Event {
                    kind,
                    bookmark: here,
                }));
            }
            Start::Contents => {
                opening.contents = root.kind(&key.0, &key.1).cloned().map(Walk::new);
                opening.events.push_back(Event {
                    kind: EventKind::Bootstrapped,
                    bookmark: here,
                });
            }
            Start::Tail(count) => {
                let id = id.map(|id| &**id);
                opening.changes = ring.map(|ring| ring.tail(count, id)).unwrap_or_default();
            }
            Start::After(bookmark) => {
                if bookmark.epoch != scope.epoch {
                    return Err(BookmarkError::Epoch.into());
                }
                if bookmark.kind != scope.kind {
                    return Err(BookmarkError::Kind.into());
                }
                if bookmark.sequence > self.sequence {
                    return Err(BookmarkError::Future.into());
                }
                let after = ring.map(|ring| ring.after(bookmark.sequence)).transpose()?;
                opening.changes = after.unwrap_or_default();
            }
        }
        if request.bookmark {
            opening.events.push_back(Event {
                kind: EventKind::Noop,
                bookmark: here,
            });
        }
        Ok(opening)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("epoch", &self.shared.epoch)
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
