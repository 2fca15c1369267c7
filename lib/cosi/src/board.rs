//! Who must run: one slot per controller with its dirty set, and the rest that is reached when all sets are empty.
//!
//! Owns the argument that no wake-up is lost. The store publishes a commit and then marks it here, inside its own
//! critical section; a run takes its dirty set and then a snapshot. So a mark that was taken belongs to a commit that
//! the snapshot shows, and a mark that was not taken is still here and wakes the next run. Between the two there is
//! nothing: taking and marking hold the same lock. A failed run puts back what it took.
//!
//! Never calls the store: marks arrive while the store's lock is held.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::{Change, DirtySink, Phase, Revision};
use tokio::sync::{Notify, watch};

use crate::counters::ControllerCounts;
use crate::dirty::Dirty;
use crate::status::RuntimeStatus;

/// One controller's place on the board.
pub(crate) type SlotId = usize;

#[derive(Debug, Default)]
struct Slot {
    name: &'static str,
    runs: u64,
    failures: u64,
    dirty: Dirty,
    running: bool,
    /// Something was marked since the last run began.
    fresh: bool,
    /// A run has ended well in this process.
    ran: bool,
    /// Its last run asked for leave to delete and did not get it.
    wants_leave: bool,
    wake: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    slots: Vec<Slot>,
    /// Other runtimes that must have settled in this epoch before this one may.
    awaited: BTreeSet<String>,
    /// Rest was reached once in this epoch.
    settled: bool,
    /// Whether what is absent may be taken for unwanted.
    leave: bool,
}

impl State {
    fn at_rest(&self) -> bool {
        let idle = |slot: &Slot| slot.ran && !slot.running && slot.dirty.is_empty();
        self.awaited.is_empty() && self.slots.iter().all(idle)
    }

    fn mark(&mut self, slot: SlotId, mark: impl FnOnce(&mut Dirty)) {
        if let Some(slot) = self.slots.get_mut(slot) {
            mark(&mut slot.dirty);
            slot.fresh = true;
            slot.wake.notify_one();
        }
    }
}

/// The board of one runtime.
#[derive(Debug)]
pub(crate) struct Board {
    state: Mutex<State>,
    /// Counts the times rest was reached, and tells those who wait for it.
    rest: watch::Sender<u64>,
    /// Whether leave follows from rest here, or is given by [`Board::set_leave`].
    own_leave: bool,
}

impl Board {
    pub(crate) fn new(own_leave: bool) -> Self {
        Self {
            state: Mutex::default(),
            rest: watch::Sender::new(0),
            own_leave,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way, so a poisoned state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new slot, dirty from the start.
    pub(crate) fn add(&self, name: &'static str) -> (SlotId, Arc<Notify>) {
        let mut state = self.lock();
        let slot = Slot {
            name,
            dirty: Dirty::all(),
            fresh: true,
            ..Slot::default()
        };
        let wake = Arc::clone(&slot.wake);
        state.slots.push(slot);
        (state.slots.len() - 1, wake)
    }

    /// Rest is not reached before this runtime has settled in the same epoch.
    pub(crate) fn await_peer(&self, name: &str) {
        self.lock().awaited.insert(name.to_owned());
    }

    pub(crate) fn mark(&self, slot: SlotId, mark: impl FnOnce(&mut Dirty)) {
        self.lock().mark(slot, mark);
    }

    /// Whether something was marked since the last run began; a failed run does not mark.
    pub(crate) fn is_fresh(&self, slot: SlotId) -> bool {
        self.lock().slots.get(slot).is_some_and(|slot| slot.fresh)
    }

    /// Takes the dirty set; the snapshot must be taken after this.
    pub(crate) fn take(&self, slot: SlotId) -> Dirty {
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(slot) else {
            return Dirty::default();
        };
        slot.running = true;
        slot.fresh = false;
        slot.wants_leave = false;
        std::mem::take(&mut slot.dirty)
    }

    /// A run asked for leave to delete; without it, it runs again when leave is given.
    pub(crate) fn ask_leave(&self, slot: SlotId) -> bool {
        let mut state = self.lock();
        let leave = state.leave;
        if let Some(slot) = state.slots.get_mut(slot) {
            slot.wants_leave |= !leave;
        }
        leave
    }

    /// A run has ended well, and its writes are committed.
    pub(crate) fn finish(&self, slot: SlotId) {
        let mut state = self.lock();
        if let Some(slot) = state.slots.get_mut(slot) {
            slot.running = false;
            slot.ran = true;
            slot.runs += 1;
        }
        self.check_rest(&mut state);
    }

    /// A run has failed: everything is in doubt again, nothing is woken.
    pub(crate) fn fail(&self, slot: SlotId) {
        if let Some(slot) = self.lock().slots.get_mut(slot) {
            slot.running = false;
            slot.runs += 1;
            slot.failures += 1;
            slot.dirty.set_all();
        }
    }

    /// What every controller has done so far.
    pub(crate) fn counts(&self) -> Vec<ControllerCounts> {
        let count = |slot: &Slot| ControllerCounts {
            name: slot.name,
            runs: slot.runs,
            failures: slot.failures,
            waiting: slot.dirty.len(),
        };
        self.lock().slots.iter().map(count).collect()
    }

    /// Gives or withdraws leave to delete, and wakes those who asked for it.
    pub(crate) fn set_leave(&self, leave: bool) {
        Self::give_leave(&mut self.lock(), leave);
    }

    fn give_leave(state: &mut State, leave: bool) {
        let given = leave && !state.leave;
        state.leave = leave;
        if !given {
            return;
        }
        for slot in state.slots.iter_mut().filter(|slot| slot.wants_leave) {
            slot.dirty.set_all();
            slot.fresh = true;
            slot.wake.notify_one();
        }
    }

    fn check_rest(&self, state: &mut State) {
        if !state.at_rest() {
            return;
        }
        if !state.settled {
            state.settled = true;
            if self.own_leave {
                Self::give_leave(state, true);
            }
        }
        if state.at_rest() {
            self.rest.send_modify(|count| *count += 1);
        }
    }

    /// Whether rest was reached once in this epoch.
    pub(crate) fn is_settled(&self) -> bool {
        self.lock().settled
    }

    /// Whether every controller has run and none is dirty, right now.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.lock().at_rest()
    }

    /// Told each time rest is reached.
    pub(crate) fn rests(&self) -> watch::Receiver<u64> {
        self.rest.subscribe()
    }

    /// What rest waits for, for a person: controllers that have not run or are dirty, and peers.
    pub(crate) fn restless(&self, names: &[&'static str]) -> Vec<String> {
        let state = self.lock();
        let busy = names
            .iter()
            .zip(&state.slots)
            .filter(|(_, slot)| !slot.ran || slot.running || !slot.dirty.is_empty())
            .map(|(name, _)| (*name).to_owned());
        busy.chain(state.awaited.iter().cloned()).collect()
    }

    fn peer_settled(&self, name: &str) {
        let mut state = self.lock();
        if state.awaited.remove(name) {
            self.check_rest(&mut state);
        }
    }
}

/// Marks a slot for every change of an input.
pub(crate) struct InputSink {
    pub(crate) board: Arc<Board>,
    pub(crate) slot: SlotId,
}

impl DirtySink for InputSink {
    fn mark(&self, _: Revision, change: &Change) {
        self.board
            .mark(self.slot, |dirty| dirty.add(change.reference()));
    }
}

/// Marks a slot when one of its own outputs, on its way out, is held by nobody any more.
pub(crate) struct ReleasedSink {
    pub(crate) board: Arc<Board>,
    pub(crate) slot: SlotId,
    pub(crate) owner: &'static str,
}

impl DirtySink for ReleasedSink {
    fn mark(&self, _: Revision, change: &Change) {
        let Some(entry) = change.now() else {
            return;
        };
        let metadata = &entry.metadata;
        if &*metadata.owner == self.owner
            && metadata.phase == Phase::TearingDown
            && metadata.finalizers.is_empty()
        {
            self.board
                .mark(self.slot, |dirty| dirty.add(change.reference()));
        }
    }
}

/// Notes that an awaited runtime has settled in this epoch.
pub(crate) struct PeerSink {
    pub(crate) board: Arc<Board>,
    pub(crate) epoch: u64,
}

impl DirtySink for PeerSink {
    fn mark(&self, _: Revision, change: &Change) {
        let status = change
            .now()
            .and_then(|entry| entry.spec.get::<RuntimeStatus>());
        if status.is_some_and(|status| status.settled && status.epoch == self.epoch) {
            self.board.peer_settled(&change.entry().metadata.id);
        }
    }
}
