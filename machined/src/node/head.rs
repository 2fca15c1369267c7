//! The one task that carries out orders, one after the other, whatever becomes of those who gave them.
//!
//! It owns the kept configs. Files and documents may be large, so they are worked on by a thread of their own, never by
//! the one that answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::api::v1alpha1 as v1;
use ::config::Documents;
use jiff::Timestamp;
use resources::config::{self as resource, MachineConfig};
use store::{CommitError, Store};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::conditions::{put, set_condition};
use super::documents::{self, SOURCE};
use super::{End, Order};
use crate::api::{Caller, Failure};
use crate::config::{Disk, Generation, Generations, LoadError, Loaded, Name, SaveError};
use crate::runtime::init_link::Down;
use crate::runtime::serving::apply as serving;
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
    generations: Arc<Mutex<Generations<Disk>>>,
    end: watch::Sender<Option<End>>,
    safe: bool,
    /// The config that runs, and when it has run long enough.
    on_trial: Option<(Name, Instant)>,
}

impl Head {
    /// A head on kept configs. `end` is told when this process or the machine is to end.
    #[must_use]
    pub fn new(
        store: Store,
        generations: Generations<Disk>,
        end: watch::Sender<Option<End>>,
    ) -> Self {
        Self {
            store,
            generations: Arc::new(Mutex::new(generations)),
            end,
            safe: false,
            on_trial: None,
        }
    }

    /// Makes the newest good config the active one, in safe mode the one that ran long enough before; without one the
    /// node is in maintenance mode, and says why. Files are read here and now: nothing else goes on yet.
    ///
    /// # Errors
    /// The folder cannot be read, or the state refuses.
    pub fn load(&mut self, beginning: &Beginning, now: Timestamp) -> Result<(), HeadError> {
        let waits = match beginning {
            Beginning::Safe { last_end } => return self.load_safe(last_end, now),
            Beginning::Usual => None,
            Beginning::Waiting { reason } => Some(reason),
        };
        let (loaded, forgotten) =
            self.with_generations(|generations| (generations.load(), generations.forget_trial()));
        if let Err(error) = forgotten {
            tracing::warn!("{}", cosi::report(&error));
        }
        let Loaded {
            active,
            passed_over,
        } = loaded.map_err(HeadError::Load)?;
        for it in &passed_over {
            tracing::error!(file = it.name, reason = it.reason, "config passed over");
        }
        let worse = passed_over
            .first()
            .map(|it| format!("{}: {}", it.name, it.reason));
        let trouble = match (&active, worse) {
            (Some(generation), Some(worse)) => {
                Some(format!("{worse}; running {}", generation.name))
            }
            (None, Some(worse)) => Some(worse),
            (Some(_), None) => None,
            (None, None) => waits.cloned(),
        };
        if let Some(generation) = &active {
            self.activate(generation, "kept config", now)?;
        }
        match trouble {
            Some(reason) => self.condition(CONFIG, false, &reason, now),
            None => Ok(()),
        }
    }

    fn load_safe(&mut self, last_end: &str, now: Timestamp) -> Result<(), HeadError> {
        self.safe = true;
        let reason =
            format!("safe mode: machined could not stay up with this config; last end: {last_end}");
        let Some(generation) = self.with_generations(Generations::try_proven) else {
            return self.condition(CONFIG, false, &reason, now);
        };
        self.activate(
            &generation,
            "safe mode: the config that ran well before",
            now,
        )?;
        let number = generation.name.number();
        let reason = format!("{reason}; running generation {number}, which ran well before");
        self.condition(CONFIG, false, &reason, now)
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
            };
            match order {
                // A caller that hung up does not want the answer; what was ordered is done all the same.
                Some(Order::Apply {
                    caller,
                    request,
                    answer,
                }) => drop(answer.send(self.apply(&caller, request).await)),
                Some(Order::GoDown {
                    caller,
                    down,
                    answer,
                }) => drop(answer.send(self.go_down(&caller, down))),
                None => return,
            }
        }
    }

    async fn prove(&mut self, name: Name) {
        self.on_trial = None;
        let noted = self
            .on_thread(move |generations| generations.prove(&name))
            .await;
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
            ..
        } = request;
        let now = Timestamp::now();
        let (wanted, documents) = self.on_thread(move |_| check(documents, now)).await??;
        let active = documents::active(&self.store.snapshot())
            .map_err(|problems| Failure::internal(problems.to_string()))?;
        let number = active.as_ref().map_or(0, |(config, _)| config.generation);
        is_expected(expected_generation, number)?;
        let running = active.as_ref().map(|(_, documents)| documents);
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
        let saved = self
            .on_thread(move |generations| generations.save(SOURCE, &documents))
            .await?;
        let generation = saved.map_err(save_failure)?;
        let number = generation.name.number();
        let cause = format!("config apply by {} from {}", caller.subject, caller.source);
        let done = if self.safe {
            self.leave_safe_mode(number, now)
        } else {
            self.activate(&generation, &cause, now)
                .and_then(|()| self.condition(CONFIG, true, "active", now))
        };
        done.map_err(|error| Failure::internal(cosi::report(&error)))?;
        Ok(answer(number))
    }

    /// Ends this life, so that the next one runs the new config: init takes a good end for the wish to leave safe mode.
    fn leave_safe_mode(&self, generation: u64, now: Timestamp) -> Result<(), HeadError> {
        let reason = format!("leaving safe mode to run generation {generation}");
        self.condition(CONFIG, false, &reason, now)?;
        self.end
            .send_if_modified(|end| end.replace(End::Daemon).is_none());
        Ok(())
    }

    fn go_down(&mut self, caller: &Caller, down: Down) -> Result<(), Failure> {
        let condition = match down {
            Down::Reboot => REBOOT,
            Down::Poweroff => SHUTDOWN,
        };
        let reason = format!("asked by {} from {}", caller.subject, caller.source);
        self.condition(condition, true, &reason, Timestamp::now())
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

    fn with_generations<T>(&self, work: impl FnOnce(&mut Generations<Disk>) -> T) -> T {
        work(
            &mut self
                .generations
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Works on the kept configs on a thread of its own.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Generations<Disk>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let generations = Arc::clone(&self.generations);
        let work = move || work(&mut generations.lock().unwrap_or_else(PoisonError::into_inner));
        let done = spawn_blocking(work).await;
        done.map_err(|error| Failure::internal(format!("working on the config: {error}")))
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

/// Refuses what was made of another generation than the one that holds. Orders are carried out one by one, so that none
/// comes between this and the change.
fn is_expected(expected: Option<u64>, number: u64) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != number => Err(Failure::outdated(format!(
            "the config was changed in the meantime: this was made for generation {expected}, and generation {number} \
             holds; fetch that one and change it again"
        ))),
        _ => Ok(()),
    }
}

/// Refuses what is wrong in itself, and what would lock everybody out; gives the bytes back.
fn check(documents: Vec<u8>, now: Timestamp) -> Result<(Documents, Vec<u8>), Failure> {
    let wanted = ::config::check(SOURCE, &documents)
        .map_err(|problems| Failure::invalid(problems.to_string()))?;
    serving::check(&wanted, now).map_err(|error| {
        Failure::invalid(format!(
            "the node could not be reached with this: {}",
            cosi::report(&error)
        ))
    })?;
    Ok((wanted, documents))
}

/// Refuses what would lock its sender out. Who paired has no certificate, and needs none to come again.
fn keeps_the_caller(caller: &Caller, wanted: &Documents, now: Timestamp) -> Result<(), Failure> {
    let (Some(trust), Some(proof)) = (wanted.api_trust(), &caller.proof) else {
        return Ok(());
    };
    if proof.convinces(trust.ca.as_pem(), now) {
        return Ok(());
    }
    Err(Failure::precondition(format!(
        "the certificate of {:?} is of no authority in the `ca` of ApiTrust, so the node would not let its sender in again; \
         let `ca` hold both authorities, then use a certificate of the new one to leave the old one out",
        caller.subject
    )))
}

fn save_failure(error: SaveError) -> Failure {
    match error {
        SaveError::Refused(problems) => Failure::invalid(problems.to_string()),
        other => Failure::internal(cosi::report(&other)),
    }
}

#[cfg(test)]
mod tests;
