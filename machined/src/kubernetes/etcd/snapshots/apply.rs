//! Has snapshots taken as the config says, and says which there are.
//!
//! One is taken at a time, by a task of this controller; with the controller it ends, and leaves nothing. Snapshots are removed only
//! when one more was whole: without a schedule, and while none can be taken, all of them stay.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use jiff::Timestamp;
use resources::config::MachineConfig;
use resources::kubernetes::{ETCD, EtcdSnapshot, EtcdSpec};
use resources::runtime::Condition;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use super::plan::{Failed, Kept, Plan, Schedule, plan};
use super::shelf::{Name, Shelf, ShelfError};
use super::take::{Order, TakeError, take};
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::etcd::{access, member};

/// The condition that snapshots are taken as the config says.
pub const CONDITION: &str = "etcd-snapshots";

/// How often the folder and the clock are looked at: the clock may jump, and what was removed by hand is to be noticed.
const LOOK: Duration = Duration::from_secs(60);

/// The controller.
#[derive(Debug)]
pub struct Apply {
    shelf: Arc<Mutex<Shelf>>,
    folder: PathBuf,
    own: SocketAddr,
    /// The snapshot that is being taken.
    task: JoinSet<Result<(), TakeError>>,
    /// What that is called; none while none is taken.
    taking: Option<Name>,
    /// Counts those that have ended.
    ended: watch::Sender<u64>,
    failed: Option<Failed>,
    /// Why the last one was not taken.
    reason: String,
}

cosi::declare! {
    Apply as "kubernetes.etcd.snapshots.apply" {
        reads MachineConfig;
        reads EtcdSpec;
        reads Condition;
        writes EtcdSnapshot;
        shares Condition;
    }
}

/// When snapshots are taken; `None` when they are not.
fn schedule(wanted: &EtcdSpec) -> Option<Schedule> {
    match (wanted.snapshot_seconds, wanted.snapshot_minutes.as_slice()) {
        (0, []) => None,
        (0, at) => Some(Schedule::At(at.to_vec())),
        (seconds, _) => Some(Schedule::Every(Duration::from_secs(seconds))),
    }
}

impl Apply {
    /// Keeps snapshots of the member that answers at `own` in a folder.
    #[must_use]
    pub fn new(folder: PathBuf, own: SocketAddr) -> Self {
        Self {
            shelf: Arc::new(Mutex::new(Shelf::new(folder.clone()))),
            folder,
            own,
            task: JoinSet::new(),
            taking: None,
            ended: watch::Sender::new(0),
            failed: None,
            reason: String::new(),
        }
    }

    /// Takes in what became of the last snapshot.
    fn collect(&mut self, now: Timestamp) {
        while let Some(ended) = self.task.try_join_next() {
            self.taking = None;
            let error = match ended {
                // By this controller, which knows why.
                Err(error) if error.is_cancelled() => continue,
                Ok(Ok(())) => {
                    self.failed = None;
                    self.reason.clear();
                    tracing::info!("a snapshot of etcd was taken");
                    continue;
                }
                Ok(Err(error)) => cosi::report(&error),
                Err(error) => cosi::report(&error),
            };
            tracing::warn!(error, "no snapshot of etcd was taken");
            self.reason = error;
            let count = self.failed.map_or(0, |it| it.count).saturating_add(1);
            self.failed = Some(Failed { at: now, count });
        }
    }

    /// Does something with the folder, on a thread that may wait for the disk.
    async fn on_shelf<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Shelf) -> Result<T, ShelfError> + Send + 'static,
    ) -> Result<T, Error> {
        let shelf = Arc::clone(&self.shelf);
        let work = move || work(&mut shelf.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(spawn_blocking(work).await??)
    }

    /// Has the next one taken.
    async fn begin(&mut self, cx: &mut Cx<'_, Self>, leave: u64) -> Result<(), Error> {
        let now = cx.now();
        let documents = crate::config::documents(cx.parts().0)?;
        let tls = access::tls(&documents, now)?;
        let name = self.on_shelf(move |shelf| Ok(shelf.next(now))).await?;
        let order = Order {
            own: self.own,
            tls,
            folder: self.folder.clone(),
            name,
            leave,
        };
        let ended = self.ended.clone();
        self.task.spawn(async move {
            let taken = take(order).await;
            ended.send_modify(|it| *it = it.wrapping_add(1));
            taken
        });
        self.taking = Some(name);
        Ok(())
    }

    /// Nothing is taken (any more): what is on its way ends.
    fn rest(&mut self, cx: &mut Cx<'_, Self>) {
        self.task.abort_all();
        self.taking = None;
        self.failed = None;
        self.reason.clear();
        cx.remove::<Condition>(CONDITION);
    }
}

/// How far it is, for a person. `waits`: etcd is not there to be asked.
fn said(kept: usize, planned: &Plan, takes: Option<Name>, waits: bool, reason: &str) -> Condition {
    let many = match kept {
        1 => "1 snapshot of etcd is kept".to_owned(),
        count => format!("{count} snapshots of etcd are kept"),
    };
    let (met, message) = match (takes, waits, reason) {
        (Some(name), ..) => (reason.is_empty(), format!("{many}; {name} is being taken")),
        (None, true, _) => (
            false,
            format!("{many}; the next one waits until this node's member of etcd votes"),
        ),
        (None, false, "") => (
            true,
            format!("{many}; the next one is due at {}", planned.next),
        ),
        (None, false, reason) => (
            false,
            format!(
                "{many}; no more was taken: {reason}; it is tried again at {}",
                planned.next
            ),
        ),
    };
    Condition { met, message }
}

/// Says which there are.
fn show(cx: &mut Cx<'_, Apply>, known: BTreeMap<Name, EtcdSnapshot>) {
    cx.replace::<EtcdSnapshot>();
    for (name, row) in known {
        cx.put(name.to_string(), row);
    }
}

fn met(cx: &Cx<'_, Apply>, id: &str) -> bool {
    cx.get::<Condition>(id).is_some_and(|it| it.spec.met)
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        let ended = stream::unfold(self.ended.subscribe(), |mut ended| async move {
            ended.changed().await.ok()?;
            Some(((), ended))
        });
        vec![Box::pin(ended)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        let now = cx.now();
        self.collect(now);
        if dirty.ids::<EtcdSpec>().next().is_some() {
            // What hindered it may be over.
            self.failed = None;
        }
        let Some(wanted) = cx.get::<EtcdSpec>(ETCD).map(|it| it.spec) else {
            cx.replace::<EtcdSnapshot>();
            self.rest(cx);
            return Ok(Outcome::Done);
        };
        if !met(cx, EPHEMERAL) {
            return Ok(Outcome::WaitingOn("the node's disk".to_owned()));
        }
        let mut known = self.on_shelf(|shelf| shelf.look().cloned()).await?;
        let Some(schedule) = schedule(&wanted) else {
            show(cx, known);
            self.rest(cx);
            return Ok(Outcome::Done);
        };
        let kept: Vec<_> = known.keys().map(|name| Kept::from(*name)).collect();
        let keep = usize::try_from(wanted.snapshots_kept).unwrap_or(usize::MAX);
        let mut planned = plan(now, &kept, &schedule, keep, self.failed);
        if !planned.remove.is_empty() {
            let remove = std::mem::take(&mut planned.remove);
            known.retain(|name, _| !remove.contains(&name.number));
            self.on_shelf(move |shelf| shelf.remove(&remove)).await?;
        }
        let votes = met(cx, member::CONDITION);
        let due = planned.is_due(now) && self.task.is_empty();
        if due && votes {
            self.begin(cx, wanted.snapshots_leave).await?;
        }
        let waits = due && !votes;
        let condition = said(known.len(), &planned, self.taking, waits, &self.reason);
        show(cx, known);
        cx.put(CONDITION, condition);
        let next = planned.next.duration_since(now);
        let next = Duration::try_from(next).unwrap_or(LOOK);
        Ok(Outcome::Requeue(next.clamp(Duration::from_secs(1), LOOK)))
    }
}
