//! One controller's loop: wait, take the dirty set, take a snapshot, run, commit, say how it went.
//!
//! Phases of the loop and what leaves them:
//!
//! ```text
//!  waiting --mark, source, requeue due--> running --Ok--> waiting
//!     ^                                      |
//!     |                             Err, Partial, panic
//!     |                                      v
//!     +--<-- delay over, or a mark ------ backing off (never shorter than the first delay)
//! ```

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::stream::SelectAll;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use store::{CommitError, Resource, Revision, Transaction};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::board::SlotId;
use crate::controller::{Controller, Outcome, Source};
use crate::cx::{Cx, Outputs, View};
use crate::dirty::Dirty;
use crate::error::Error;
use crate::shared::Shared;
use crate::stage::Stage;
use crate::status::{ControllerStatus, RunState};

/// How often a commit is planned anew when others move finalizers under it.
const COMMIT_ATTEMPTS: usize = 16;

/// When the next run is due, if nothing wakes the controller before.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// Only when something is marked.
    Marked,
    /// At this time, by the controller's wish.
    Requeue(Instant),
    /// At this time after a failure, or when something is marked but not before `floor`.
    Retry { at: Instant, floor: Instant },
}

/// A controller with everything its loop needs.
pub(crate) struct Task<C> {
    controller: C,
    shared: Arc<Shared>,
    slot: SlotId,
    wake: Arc<Notify>,
    backoff: Backoff,
    due: Due,
    runs: u64,
    status: Option<ControllerStatus>,
}

/// How a run ended, its writes committed.
struct Ended {
    outcome: Result<Outcome, Error>,
    changed: bool,
}

impl<C: Controller> Task<C> {
    pub(crate) fn new(controller: C, shared: Arc<Shared>, slot: SlotId, wake: Arc<Notify>) -> Self {
        Self {
            controller,
            shared,
            slot,
            wake,
            backoff: Backoff::default(),
            due: Due::Marked,
            runs: 0,
            status: None,
        }
    }

    /// Never ends by itself.
    pub(crate) async fn run(mut self) {
        let mut sources = SelectAll::new();
        sources.extend(self.controller.sources());
        loop {
            self.wait(&mut sources).await;
            self.once().await;
            // A run without an await point, woken by its own outputs, would otherwise never let go of the thread.
            tokio::task::yield_now().await;
        }
    }

    async fn wait(&mut self, sources: &mut SelectAll<Source>) {
        let board = &self.shared.board;
        loop {
            let fresh = board.is_fresh(self.slot);
            let until = match (self.due, fresh) {
                (Due::Marked | Due::Requeue(_), true) => return,
                (Due::Marked, false) => None,
                (Due::Requeue(at), false) => Some(at),
                (Due::Retry { floor, .. }, true) => Some(floor),
                (Due::Retry { at, .. }, false) => Some(at),
            };
            let timer = async {
                match until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(()) = sources.next() => board.mark(self.slot, Dirty::set_triggered),
                () = self.wake.notified() => {}
                () = timer => {
                    if matches!(self.due, Due::Requeue(_)) {
                        board.mark(self.slot, Dirty::set_requeued);
                    }
                    return;
                }
            }
        }
    }

    async fn once(&mut self) {
        // The order is the proof that no wake-up is lost: see `board`.
        let dirty = self.shared.board.take(self.slot);
        let now = self.shared.clock.now();
        let snapshot = self.shared.store.snapshot();
        let revision = snapshot.revision();
        let mut cx = Cx {
            view: View::new(snapshot),
            out: Outputs::default(),
            board: &self.shared.board,
            slot: self.slot,
            now,
        };
        tracing::debug!(cause = %cause(&dirty), "run");
        let run = Box::pin(self.controller.reconcile(&mut cx, &dirty));
        let outcome = match AssertUnwindSafe(run).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(payload) => Err(Error::msg(format!("panicked: {}", words(&*payload)))),
        };
        let stage = cx.out.into_stage();
        self.runs = self.runs.saturating_add(1);
        let ended = match outcome {
            Ok(outcome) => self.commit(outcome, &stage, revision, &dirty, now),
            Err(error) => Ended {
                outcome: Err(error),
                changed: false,
            },
        };
        self.conclude(ended, &dirty, now);
    }

    /// Commits what was staged. One transaction, planned anew while others move finalizers under it.
    fn commit(
        &self,
        outcome: Outcome,
        stage: &Stage,
        revision: Revision,
        dirty: &Dirty,
        now: Timestamp,
    ) -> Ended {
        let store = &self.shared.store;
        let mut refused = None;
        for _ in 0..COMMIT_ATTEMPTS {
            let ops = stage.plan(&store.snapshot());
            if ops.is_empty() {
                return Ended {
                    outcome: Ok(outcome),
                    changed: false,
                };
            }
            let mut transaction =
                Transaction::owned(C::NAME).caused_by(revision, dirty.keys().next().cloned());
            for op in ops {
                transaction.push(op);
            }
            match store.commit(transaction, now) {
                Ok(committed) => {
                    return Ended {
                        outcome: Ok(outcome),
                        changed: !committed.changes.is_empty(),
                    };
                }
                Err(error) if moved_on(&error) => refused = Some(error),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let error = refused.map_or_else(|| Error::msg("nothing was committed"), Error::from);
        Ended {
            outcome: Err(error),
            changed: false,
        }
    }

    fn conclude(&mut self, ended: Ended, dirty: &Dirty, now: Timestamp) {
        let mut status = ControllerStatus {
            runtime: self.shared.name.to_string(),
            last_run: now,
            runs: self.runs,
            cause: cause(dirty),
            ..ControllerStatus::default()
        };
        let failure = match ended.outcome {
            Ok(Outcome::Done) => {
                self.due = Due::Marked;
                None
            }
            Ok(Outcome::Requeue(delay)) => {
                self.due = Due::Requeue(Instant::now() + delay);
                None
            }
            Ok(Outcome::WaitingOn(what)) => {
                self.due = Due::Marked;
                status.state = RunState::Waiting;
                status.waiting_on = what;
                None
            }
            Ok(Outcome::Partial(error)) | Err(error) => Some(error),
        };
        if let Some(error) = &failure {
            let delay = self.backoff.fail();
            let failed = Instant::now();
            self.due = Due::Retry {
                at: failed + delay,
                floor: failed + Backoff::FIRST,
            };
            status.state = RunState::Failed;
            status.error = error.to_string();
            status.retries = self.backoff.failures();
            tracing::warn!(%error, retries = status.retries, ?delay, "run failed");
        } else {
            self.backoff.reset();
        }
        // Before rest is checked, so that a settled runtime's statuses are all there.
        self.report(status, ended.changed);
        match failure {
            Some(_) => self.shared.board.fail(self.slot),
            None => self.shared.board.finish(self.slot),
        }
    }

    fn report(&mut self, status: ControllerStatus, changed: bool) {
        let same = |old: &ControllerStatus| {
            old.state == status.state
                && old.error == status.error
                && old.waiting_on == status.waiting_on
                && old.retries == status.retries
        };
        if !changed && self.status.as_ref().is_some_and(same) {
            return;
        }
        let resource = Resource::in_default(C::NAME, status.clone());
        let transaction = Transaction::owned(Arc::clone(&self.shared.name)).put(resource);
        match self.shared.store.commit(transaction, status.last_run) {
            Ok(_) => self.status = Some(status),
            Err(error) => tracing::error!(%error, "controller status refused"),
        }
    }
}

/// Whether the plan was overtaken and a new one may succeed.
fn moved_on(error: &CommitError) -> bool {
    error.is_stale() || matches!(error, CommitError::Held { .. })
}

/// What woke a run, for a person: the first key, and how many more.
fn cause(dirty: &Dirty) -> String {
    let mut keys = dirty.keys();
    match (keys.next(), keys.count()) {
        _ if dirty.is_all() => "all".to_owned(),
        (Some(key), 0) => key.to_string(),
        (Some(key), more) => format!("{key} and {more} more"),
        (None, _) if dirty.is_triggered() => "trigger".to_owned(),
        (None, _) if dirty.is_requeued() => "requeue".to_owned(),
        (None, _) => String::new(),
    }
}

/// What a panic said.
fn words(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
