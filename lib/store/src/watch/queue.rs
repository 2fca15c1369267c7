//! One watcher's queue: contents it begins with, then changes, folded by id once too many wait.
//!
//! Locked for the length of a push or a pop; pushes come from inside commits, pops from the reader. Selectors are
//! judged when an event is taken out, on the first old and the last new version, so folding cannot change what a
//! reader ends up with.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::bookmark::Bookmark;
use super::event::{Event, EventKind};
use super::ring::Placed;
use crate::entry::{Change, Entry};
use crate::query::Selector;
use crate::snapshot::Walk;

/// What a queue begins with.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    /// The kind as it was, delivered first.
    pub(crate) contents: Option<Walk>,
    /// Events that follow it.
    pub(crate) events: VecDeque<Event>,
    /// Changes that follow those.
    pub(crate) changes: Vec<Placed>,
}

/// What is watched.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) epoch: u64,
    pub(crate) kind: u64,
    pub(crate) id: Option<Arc<str>>,
    pub(crate) selector: Selector,
    pub(crate) limit: usize,
}

impl Scope {
    fn matches(&self, entry: &Entry) -> bool {
        self.id.as_ref().is_none_or(|id| *id == entry.metadata.id)
            && self.selector.matches(&entry.metadata)
    }

    pub(crate) fn bookmark(&self, sequence: u64) -> Bookmark {
        Bookmark {
            epoch: self.epoch,
            kind: self.kind,
            sequence,
        }
    }
}

pub(crate) struct Queue {
    scope: Scope,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    opening: Opening,
    /// Changes by the order in which their id came to wait.
    slots: BTreeMap<u64, Slot>,
    /// The slot of each waiting id; kept only while folding.
    by_id: BTreeMap<Arc<str>, u64>,
    folding: bool,
    next_slot: u64,
    last_sequence: u64,
    folded: u64,
    waker: Option<Waker>,
}

/// One or more changes of one id.
struct Slot {
    sequence: u64,
    /// What the reader knows: the version before the first change.
    first: Option<Arc<Entry>>,
    /// The last version of that incarnation, if it was destroyed.
    gone: Option<Arc<Entry>>,
    /// What is there now.
    now: Option<Arc<Entry>>,
}

impl Slot {
    fn new(sequence: u64, change: &Change) -> Self {
        Self {
            sequence,
            first: change.old().cloned(),
            gone: match change {
                Change::Destroyed(last) => Some(Arc::clone(last)),
                Change::Created(_) | Change::Updated { .. } => None,
            },
            now: change.now().cloned(),
        }
    }

    /// Merges the changes of a later slot of the same id.
    fn absorb(&mut self, later: Self) {
        if self.first.is_some() && self.gone.is_none() {
            let before = self.now.take();
            let begins = later.first.as_ref().or(later.now.as_ref());
            let another = before
                .as_ref()
                .zip(begins)
                .is_some_and(|(before, begins)| before.uid != begins.uid);
            // A version the selector hides may have been destroyed unseen: another incarnation tells.
            self.gone = if another { before } else { later.gone };
        }
        self.sequence = later.sequence;
        self.now = later.now;
    }

    fn id(&self) -> Option<Arc<str>> {
        [&self.first, &self.now]
            .into_iter()
            .flatten()
            .next()
            .map(|entry| Arc::clone(&entry.metadata.id))
    }

    fn is_nothing(&self) -> bool {
        self.first.is_none() && self.now.is_none()
    }

    /// The events it stands for: none, one, or a destruction and a creation.
    fn events(self, scope: &Scope) -> (Option<EventKind>, Option<EventKind>) {
        let matching = |entry: Option<Arc<Entry>>| entry.filter(|entry| scope.matches(entry));
        let known = matching(self.first);
        match (known, self.gone, self.now) {
            (None, _, now) => (matching(now).map(EventKind::Created), None),
            (Some(_), Some(gone), now) => (
                Some(EventKind::Destroyed(gone)),
                matching(now).map(EventKind::Created),
            ),
            (Some(old), None, Some(new)) if scope.matches(&new) => {
                (Some(EventKind::Updated { old, new }), None)
            }
            (Some(_), None, Some(new)) => (Some(EventKind::Destroyed(new)), None),
            (Some(old), None, None) => (Some(EventKind::Destroyed(old)), None),
        }
    }
}

impl Queue {
    pub(crate) fn new(scope: Scope, opening: Opening) -> Self {
        let mut state = State::default();
        for placed in &opening.changes {
            state.push(&scope, placed.sequence, &placed.change);
        }
        state.opening = Opening {
            changes: Vec::new(),
            ..opening
        };
        Self {
            scope,
            state: Mutex::new(state),
        }
    }

    /// Adds a change; the waker, if any, must be called once all locks are released.
    pub(crate) fn push(&self, sequence: u64, change: &Change) -> Option<Waker> {
        let mut state = self.lock();
        if state.push(&self.scope, sequence, change) {
            state.waker.take()
        } else {
            None
        }
    }

    pub(crate) fn pop(&self) -> Option<Event> {
        self.lock().pop(&self.scope)
    }

    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Event> {
        let mut state = self.lock();
        match state.pop(&self.scope) {
            Some(event) => Poll::Ready(event),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) fn folded(&self) -> u64 {
        self.lock().folded
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock but a waker's clone, before anything is changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// False when the change is of no interest.
    fn push(&mut self, scope: &Scope, sequence: u64, change: &Change) -> bool {
        let wanted = [change.old(), change.now()]
            .into_iter()
            .flatten()
            .any(|entry| scope.matches(entry));
        if !wanted {
            return false;
        }
        self.last_sequence = sequence;
        if self.folding {
            self.fold(Slot::new(sequence, change));
            return true;
        }
        self.append(Slot::new(sequence, change));
        if self.slots.len() > scope.limit {
            self.folding = true;
            for (_, slot) in std::mem::take(&mut self.slots) {
                self.fold(slot);
            }
        }
        true
    }

    fn append(&mut self, slot: Slot) -> u64 {
        let number = self.next_slot;
        self.next_slot += 1;
        self.slots.insert(number, slot);
        number
    }

    /// Merges into the slot of the same id, which disappears when nothing is left to tell.
    fn fold(&mut self, slot: Slot) {
        let Some(id) = slot.id() else { return };
        let waiting = self.by_id.get(&id).copied();
        let Some((number, held)) = waiting.and_then(|n| Some((n, self.slots.get_mut(&n)?))) else {
            let number = self.append(slot);
            self.by_id.insert(id, number);
            return;
        };
        self.folded += 1;
        held.absorb(slot);
        if held.is_nothing() {
            self.slots.remove(&number);
            self.by_id.remove(&id);
        }
    }

    fn pop(&mut self, scope: &Scope) -> Option<Event> {
        if let Some(walk) = &mut self.opening.contents {
            if let Some(entry) = walk.find(|entry| scope.matches(entry)) {
                return Some(Event {
                    kind: EventKind::Created(entry),
                    bookmark: None,
                });
            }
            self.opening.contents = None;
        }
        if let Some(event) = self.opening.events.pop_front() {
            return Some(event);
        }
        let event = self.pop_change(scope);
        if self.slots.is_empty() {
            self.folding = false;
            self.by_id.clear();
        }
        event
    }

    fn pop_change(&mut self, scope: &Scope) -> Option<Event> {
        while let Some((number, slot)) = self.slots.pop_first() {
            let sequence = slot.sequence;
            if let Some(id) = slot.id() {
                self.by_id.remove(&id);
            }
            let (event, created) = slot.events(scope);
            if let Some(EventKind::Created(now)) = created {
                self.put_back(number, sequence, now);
            }
            let Some(kind) = event else { continue };
            return Some(Event {
                kind,
                bookmark: self.bookmark(scope, sequence),
            });
        }
        None
    }

    /// The second half of a destruction and creation, to be told next.
    fn put_back(&mut self, number: u64, sequence: u64, now: Arc<Entry>) {
        self.by_id.insert(Arc::clone(&now.metadata.id), number);
        self.slots.insert(
            number,
            Slot {
                sequence,
                first: None,
                gone: None,
                now: Some(now),
            },
        );
    }

    /// The place after an event just taken out. Within a folded batch there is none, since later changes were
    /// delivered before earlier ones: only its last event has one.
    fn bookmark(&mut self, scope: &Scope, sequence: u64) -> Option<Bookmark> {
        if !self.folding {
            return Some(scope.bookmark(sequence));
        }
        // Slots whose events the selector hides would leave the batch without a last event.
        while let Some(next) = self.slots.first_entry() {
            if next.get().is_visible(scope) {
                return None;
            }
            if let Some(id) = next.remove().id() {
                self.by_id.remove(&id);
            }
        }
        Some(scope.bookmark(self.last_sequence))
    }
}

impl Slot {
    fn is_visible(&self, scope: &Scope) -> bool {
        [&self.first, &self.now]
            .into_iter()
            .flatten()
            .any(|entry| scope.matches(entry))
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
