//! The one task that carries out orders, one after the other, whatever becomes of those who gave them.
//!
//! It owns the kept configs. Files and documents may be large, so they are worked on by a thread of their own, never by
//! the one that answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::api::v1alpha1 as v1;
use jiff::Timestamp;
use resources::config::{self as resource, MachineConfig};
use store::{CommitError, Store};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::checks::{check, is_expected, keeps_the_caller, keeps_the_role, save_failure};
use super::conditions::{put, set_condition};
use super::documents::{self, SOURCE};
use super::{End, Order};
use crate::api::{Caller, Failure};
use crate::block::volume::Volumes;
use crate::config::{Configs, Generation, LoadError, Name, Storage};
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
    beginning: Beginning,
    /// The config that runs, and when it has run long enough.
    on_trial: Option<(Name, Instant)>,
}

impl Head {
    /// A head on kept configs. `storage` says where they are kept from now on, whenever that changes; `volumes` are
    /// emptied by a reset; `end` is told when
    /// this process or the machine is to end.
    #[must_use]
    pub fn new(
        store: Store,
        kept: Configs,
        storage: watch::Receiver<Storage>,
        volumes: Volumes,
        end: watch::Sender<Option<End>>,
    ) -> Self {
        Self {
            store,
            kept: Arc::new(Mutex::new(kept)),
            storage,
            volumes,
            end,
            beginning: Beginning::Usual,
            on_trial: None,
        }
    }

    /// Carries out orders until nobody can give any more.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let order = tokio::select! {
                order = orders.recv() => order,
                name = long_enough(self.on_trial.as_ref()) => {
                    self.prove(name).await;
                    continue;
                }
                () = told(&mut self.storage) => {
                    self.settle().await;
                    continue;
                }
            };
            match order {
                // A caller that hung up does not want the answer; what was ordered is done all the same.
                Some(Order::Apply {
                    caller,
                    request,
                    answer,
                }) => drop(answer.send(self.apply(&caller, request).await)),
                Some(Order::Reset {
                    caller,
                    request,
                    answer,
                }) => drop(answer.send(self.reset(&caller, request).await)),
                Some(Order::WipeDisk { request, answer }) => {
                    drop(answer.send(self.wipe_disk(request).await));
                }
                Some(Order::Offer {
                    source,
                    documents,
                    answer,
                }) => drop(answer.send(self.offer(&source, documents).await)),
                Some(Order::GoDown {
                    caller,
                    down,
                    answer,
                }) => {
                    let whom = format!("asked by {} from {}", caller.subject, caller.source);
                    drop(answer.send(self.go_down(&whom, down)));
                }
                None => return,
            }
        }
    }

    async fn prove(&mut self, name: Name) {
        self.on_trial = None;
        let noted = self.on_thread(move |kept| kept.prove(&name)).await;
        if let Err(error) = noted.and_then(|noted| noted.map_err(save_failure)) {
            tracing::warn!(%error, "cannot note that the config runs well");
        }
    }

    async fn apply(
        &mut self,
        caller: &Caller,
        request: v1::ApplyConfigRequest,
    ) -> Result<v1::ApplyConfigResponse, Failure> {
        let v1::ApplyConfigRequest {
            documents,
            dry_run,
            expected_generation,
            force,
            ..
        } = request;
        self.has_looked()?;
        let now = Timestamp::now();
        let (wanted, documents) = self.on_thread(move |_| check(documents, now)).await??;
        let active = documents::active(&self.store.snapshot())
            .map_err(|problems| Failure::internal(problems.to_string()))?;
        let number = active.as_ref().map_or(0, |(config, _)| config.generation);
        is_expected(expected_generation, number)?;
        let running = active.as_ref().map(|(_, documents)| documents);
        keeps_the_role(running, &wanted, force)?;
        if running.is_some_and(|running| running.api_trust().is_some())
            && wanted.api_trust().is_none()
        {
            return Err(Failure::invalid(
                "these documents have no ApiTrust, so nobody could reach the node by certificate any more; add the one it has",
            ));
        }
        keeps_the_caller(caller, &wanted, now)?;
        let changes = documents::changes(running, &wanted);
        let warnings = documents::warnings(&wanted, &self.store.snapshot());
        let answer = |generation| v1::ApplyConfigResponse {
            generation,
            changes,
            warnings,
        };
        if dry_run {
            return Ok(answer(number));
        }
        let cause = format!("config apply by {} from {}", caller.subject, caller.source);
        Ok(answer(self.take(documents, &cause, now).await?))
    }

    /// Takes what a source offers to a node without a config.
    async fn offer(&mut self, source: &str, documents: Vec<u8>) -> Result<(), Failure> {
        self.has_looked()?;
        let now = Timestamp::now();
        let (_, documents) = self.on_thread(move |_| check(documents, now)).await??;
        let active = documents::active(&self.store.snapshot());
        if self.is_safe() || !matches!(active, Ok(None)) {
            // Somebody gave it one in the meantime.
            return Ok(());
        }
        self.take(documents, source, now).await.map(drop)
    }

    /// Makes checked documents the config; its number.
    async fn take(
        &mut self,
        documents: Vec<u8>,
        cause: &str,
        now: Timestamp,
    ) -> Result<u64, Failure> {
        let saved = self.on_thread(move |kept| kept.save(SOURCE, &documents));
        let generation = saved.await?.map_err(save_failure)?;
        let number = generation.name.number();
        let done = if self.is_safe() {
            self.leave_safe_mode(number, now)
        } else {
            self.activate(&generation, cause, now)
                .and_then(|()| self.condition(CONFIG, true, "active", now))
        };
        done.map_err(|error| Failure::internal(cosi::report(&error)))?;
        Ok(number)
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
        let spec = MachineConfig {
            generation: name.number(),
            hash: name.hash().to_owned(),
            text: generation.text.clone(),
        };
        put(&self.store, resource::ACTIVE, spec, cause, now).map_err(HeadError::Commit)?;
        self.on_trial = Some((name.clone(), Instant::now() + PROVEN_AFTER));
        Ok(())
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
async fn long_enough(on_trial: Option<&(Name, Instant)>) -> Name {
    match on_trial {
        Some((name, at)) => {
            sleep_until(*at).await;
            name.clone()
        }
        None => std::future::pending().await,
    }
}

mod disk;
mod settle;
#[cfg(test)]
mod tests;
