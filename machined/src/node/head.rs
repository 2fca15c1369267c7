//! The one task that carries out orders, one after the other, whatever becomes of those who gave them.
//!
//! It owns the kept configs. Files and documents may be large, so they are worked on by a thread of their own, never by
//! the one that answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use resources::config::{self as resource, MachineConfig};
use store::{CommitError, Store};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::checks::save_failure;
use super::conditions::{put, set_condition};
use super::departure::Departures;
use super::{End, Order};
use crate::api::Failure;
use crate::block::volume::Volumes;
use crate::config::{Configs, Generation, LoadError, Name, Storage};
use crate::runtime::clock::Clock;
use crate::runtime::init_link::Down;
use crate::runtime::stage::status::{CONFIG, REBOOT, SHUTDOWN};

/// A config that ran for so long without this process ending is one that safe mode may go back to.
const PROVEN_AFTER: Duration = Duration::from_secs(10 * 60);

/// Why the node's own state could not be brought up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The kept configs could not be read.
    #[error("loading the machine config")]
    Load(#[source] LoadError),
    /// The state refused what the head wrote.
    #[error("writing to the state")]
    Commit(#[source] CommitError),
}

/// How this life of the daemon begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// With the config there is.
    Usual,
    /// Asked to wait for a config. One that was given since the machine started is run all the same: whoever gave it
    /// did so after that.
    Waiting {
        /// Who asked.
        reason: String,
    },
    /// The lives before did not stay up. Left by an apply, which ends this life.
    Safe {
        /// How the last one ended.
        last_end: String,
    },
}

/// Carries out orders.
#[derive(Debug)]
pub struct Head {
    store: Store,
    kept: Arc<Mutex<Configs>>,
    storage: watch::Receiver<Storage>,
    volumes: Volumes,
    end: watch::Sender<Option<End>>,
    clock: Clock,
    beginning: Beginning,
    /// The config that runs for good, and when it has run long enough.
    proving: Option<(Name, Instant)>,
    /// When the trial of the config that runs is over.
    trial: Option<Instant>,
    departures: Departures,
    /// The end of the machine that is carried out.
    leaving: Option<depart::Leaving>,
}

impl Head {
    /// A head on kept configs. `storage` says where they are kept from now on, whenever that changes; `volumes` are
    /// emptied by a reset; `end` is told when this process or the machine is to end, which for the machine is by `departures`; `clock`
    /// tells how long a config is tried.
    #[must_use]
    pub fn new(
        store: Store,
        kept: Configs,
        storage: watch::Receiver<Storage>,
        volumes: Volumes,
        end: watch::Sender<Option<End>>,
        departures: Departures,
        clock: Clock,
    ) -> Self {
        Self {
            store,
            kept: Arc::new(Mutex::new(kept)),
            storage,
            volumes,
            end,
            clock,
            beginning: Beginning::Usual,
            proving: None,
            trial: None,
            departures,
            leaving: None,
        }
    }

    /// Carries out orders until nobody can give any more, and what was ordered is done.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut open = true;
        while open || self.leaving.is_some() {
            let order = tokio::select! {
                order = orders.recv(), if open => order,
                done = depart::done(&mut self.leaving) => {
                    self.departed(done).await;
                    continue;
                }
                name = long_enough(self.proving.as_ref()) => {
                    self.prove(name).await;
                    continue;
                }
                () = over(self.trial) => {
                    self.not_confirmed().await;
                    continue;
                }
                () = told(&mut self.storage) => {
                    self.settle().await;
                    continue;
                }
            };
            match order {
                Some(order) => self.carry_out(order).await,
                None => open = false,
            }
        }
    }

    /// A caller that hung up does not want the answer; what was ordered is done all the same.
    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Apply {
                caller,
                request,
                answer,
            } => drop(answer.send(self.apply(&caller, request).await)),
            Order::Confirm {
                caller,
                request,
                answer,
            } => drop(answer.send(self.confirm(&caller, &request).await)),
            Order::Rollback {
                caller,
                request,
                answer,
            } => drop(answer.send(self.roll_back(&caller, &request).await)),
            Order::History { answer } => drop(answer.send(self.history().await)),
            Order::Diff { request, answer } => drop(answer.send(self.diff(&request).await)),
            Order::Offer {
                source,
                documents,
                answer,
            } => drop(answer.send(self.offer(&source, documents).await)),
            Order::ResetTarget { disk, answer } => {
                drop(answer.send(self.empty(disk, true).await));
            }
            Order::WipeDisk { request, answer } => {
                drop(answer.send(self.wipe_disk(request).await));
            }
            Order::Depart {
                caller,
                end,
                drain,
                answer,
            } => drop(answer.send(self.depart(&caller, end, drain).await)),
        }
    }

    async fn prove(&mut self, name: Name) {
        self.proving = None;
        let noted = self.on_thread(move |kept| kept.prove(&name)).await;
        if let Err(error) = noted.and_then(|noted| noted.map_err(save_failure)) {
            tracing::warn!(%error, "cannot note that the config runs well");
        }
    }

    /// Ends this life, so that the next one runs the new config: init takes a good end for the wish to leave safe mode.
    fn leave_safe_mode(&self, generation: u64, now: Timestamp) -> Result<(), HeadError> {
        let reason = format!("leaving safe mode to run generation {generation}");
        self.condition(CONFIG, false, &reason, now)?;
        self.end
            .send_if_modified(|end| end.replace(End::Daemon).is_none());
        Ok(())
    }

    fn go_down(&mut self, reason: &str, down: Down) -> Result<(), Failure> {
        let condition = match down {
            Down::Reboot => REBOOT,
            Down::Poweroff => SHUTDOWN,
        };
        self.condition(condition, true, reason, Timestamp::now())
            .map_err(|error| Failure::internal(cosi::report(&error)))?;
        self.end.send_replace(Some(End::Machine(down)));
        Ok(())
    }

    fn activate(
        &mut self,
        generation: &Generation,
        cause: &str,
        now: Timestamp,
    ) -> Result<(), HeadError> {
        let name = &generation.name;
        let record = generation.record.as_ref();
        let seconds = record.map(|it| it.time.as_second());
        let spec = MachineConfig {
            generation: name.number(),
            hash: name.hash().to_owned(),
            text: generation.text.clone(),
            applied_seconds: seconds.and_then(|it| it.try_into().ok()).unwrap_or(0),
            applied_by: record.map(|it| it.by.clone()).unwrap_or_default(),
        };
        put(&self.store, resource::ACTIVE, spec, cause, now).map_err(HeadError::Commit)?;
        self.for_good(name);
        Ok(())
    }

    /// From now on it is to be seen whether this config stays up.
    fn for_good(&mut self, name: &Name) {
        self.trial = None;
        self.proving = Some((name.clone(), Instant::now() + PROVEN_AFTER));
    }

    /// What runs is tried for so long, and proves nothing meanwhile.
    fn for_now(&mut self, left: Duration) {
        self.trial = Some(Instant::now() + left);
        self.proving = None;
    }

    fn condition(
        &self,
        id: &str,
        met: bool,
        message: &str,
        now: Timestamp,
    ) -> Result<(), HeadError> {
        set_condition(&self.store, id, met, message, now).map_err(HeadError::Commit)
    }

    fn is_safe(&self) -> bool {
        matches!(self.beginning, Beginning::Safe { .. })
    }

    /// Works on the kept configs on a thread of its own.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Configs) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let kept = Arc::clone(&self.kept);
        let work = move || work(&mut kept.lock().unwrap_or_else(PoisonError::into_inner));
        let done = spawn_blocking(work).await;
        done.map_err(|error| Failure::internal(format!("working on the config: {error}")))
    }
}

/// Waits until it is said anew where configs are kept; for ever when nobody says it any more.
async fn told(storage: &mut watch::Receiver<Storage>) {
    if storage.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Waits until a config has run long enough; for ever when none is on trial.
async fn long_enough(proving: Option<&(Name, Instant)>) -> Name {
    match proving {
        Some((name, at)) => {
            sleep_until(*at).await;
            name.clone()
        }
        None => std::future::pending().await,
    }
}

/// Waits until a trial is over; for ever when there is none.
async fn over(trial: Option<Instant>) {
    match trial {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

mod apply;
mod depart;
mod disk;
mod history;
mod settle;
#[cfg(test)]
mod tests;
