//! The generations of before: which there are, what is different between them, and the ways back to them.

use ::api::v1alpha1 as v1;
use jiff::Timestamp;
use resources::config::{self as resource, MachineConfig};
use store::{Spec as _, Transaction};

use super::apply::{Checked, by};
use super::{Head, HeadError};
use crate::api::{Caller, Failure};
use crate::config::{Effect, Entry, State, active};
use crate::node::checks::save_failure;
use crate::node::conditions::WRITER;
use crate::node::wire_time;
use crate::runtime::stage::status::CONFIG;

impl Head {
    /// Goes back by itself: nobody confirmed in time.
    pub(super) async fn not_confirmed(&mut self) {
        let number = self.number();
        let why = format!("generation {number} was not confirmed in time");
        if let Err(error) = self.return_from_trial(&why).await {
            tracing::error!(%error, "ending the trial of a config");
        }
    }

    /// Ends the trial, and runs what ran before it; the number of that, 0 for none.
    async fn return_from_trial(&mut self, why: &str) -> Result<u64, Failure> {
        self.trial = None;
        let (back, noted) = self.on_thread(|kept| kept.end_trial()).await?;
        if let Err(error) = noted {
            // Its time ends it all the same.
            tracing::warn!("{}", cosi::report(&error));
        }
        let now = Timestamp::now();
        let number = back.as_ref().map_or(0, |it| it.name.number());
        let (done, message) = match back {
            Some(generation) => (
                self.activate(&generation, why, now),
                format!("{why}; generation {number} runs again"),
            ),
            None => (
                self.deactivate(why, now),
                format!("{why}; there was none before it"),
            ),
        };
        tracing::warn!(message, "the trial of a config is over");
        done.and_then(|()| self.condition(CONFIG, number != 0, &message, now))
            .map_err(|error| Failure::internal(cosi::report(&error)))?;
        Ok(number)
    }

    /// Runs no config any more.
    fn deactivate(&mut self, why: &str, now: Timestamp) -> Result<(), HeadError> {
        self.proving = None;
        let namespace = MachineConfig::DEFINITION.namespace;
        let active = self.store.snapshot();
        let Some(active) = active.get_as::<MachineConfig>(namespace, resource::ACTIVE) else {
            return Ok(());
        };
        let transaction = Transaction::owned(WRITER)
            .caused_outside(why)
            .destroy(active.metadata.reference());
        let done = self.store.commit(transaction, now);
        done.map(drop).map_err(HeadError::Commit)
    }

    /// The number of what runs; 0 for none.
    fn number(&self) -> u64 {
        let active = active(&self.store.snapshot()).ok().flatten();
        active.map_or(0, |it| it.config.generation)
    }

    pub(super) async fn confirm(
        &mut self,
        caller: &Caller,
        request: &v1::ConfirmConfigRequest,
    ) -> Result<v1::ConfirmConfigResponse, Failure> {
        let none = || {
            Failure::precondition(
                "no config is tried, so there is nothing to confirm; `osctl config history` shows what became of it",
            )
        };
        if self.trial.is_none() {
            return Err(none());
        }
        let number = self.number();
        if let Some(expected) = request.generation.filter(|it| *it != number) {
            return Err(Failure::outdated(format!(
                "generation {number} is tried, and not generation {expected}"
            )));
        }
        let moment = self.clock.now();
        let confirmed = self.on_thread(move |kept| kept.confirm(&moment)).await?;
        let name = confirmed.map_err(save_failure)?.ok_or_else(none)?;
        self.for_good(&name);
        let message = format!("active; confirmed by {}", by(caller));
        self.condition(CONFIG, true, &message, Timestamp::now())
            .map_err(|error| Failure::internal(cosi::report(&error)))?;
        Ok(v1::ConfirmConfigResponse {
            generation: name.number(),
        })
    }

    /// Undoes the last thing, or applies the text of an earlier generation as a new one.
    pub(super) async fn roll_back(
        &mut self,
        caller: &Caller,
        request: &v1::RollbackConfigRequest,
    ) -> Result<v1::RollbackConfigResponse, Failure> {
        self.has_looked().await?;
        if request.generation.is_none()
            && let Some(undone) = self.undo_pending(caller, request.dry_run).await?
        {
            return Ok(undone);
        }
        let number = match request.generation {
            Some(number) => number,
            None => self
                .on_thread(|kept| kept.before())
                .await?
                .ok_or_else(|| Failure::precondition("there is no earlier config to go back to"))?,
        };
        let found = self.on_thread(move |kept| kept.numbered(number)).await?;
        let text = found.map_err(Failure::not_found)?.text.into_bytes();
        let Checked {
            documents,
            running,
            changes,
            warnings,
        } = self.checked(caller, text, None, request.force).await?;
        let (generation, done) = if request.dry_run {
            let done = format!("generation {number} would be applied again");
            (running, done)
        } else {
            let by = format!("{} (rollback to {number})", by(caller));
            let cause = format!("config rollback to {number} by {by}");
            let now = self.take(documents, &Effect::Now, &by, &cause).await?;
            (now, format!("applied generation {number} again"))
        };
        Ok(v1::RollbackConfigResponse {
            generation,
            done,
            changes,
            warnings,
        })
    }

    /// Ends what is tried, or cancels what is staged; `None` when there is neither.
    async fn undo_pending(
        &mut self,
        caller: &Caller,
        dry_run: bool,
    ) -> Result<Option<v1::RollbackConfigResponse>, Failure> {
        let running = self.number();
        let answer = |generation, done| {
            Some(v1::RollbackConfigResponse {
                generation,
                done,
                ..v1::RollbackConfigResponse::default()
            })
        };
        if self.trial.is_some() {
            if dry_run {
                let done = format!("the trial of generation {running} would be ended");
                return Ok(answer(running, done));
            }
            let why = format!(
                "the trial of generation {running} was ended by {}",
                by(caller)
            );
            let back = self.return_from_trial(&why).await?;
            return Ok(answer(
                back,
                format!("ended the trial of generation {running}"),
            ));
        }
        if dry_run {
            let staged = self.entries().await?;
            let staged = staged.iter().find(|it| it.state == Some(State::Staged));
            return Ok(staged.and_then(|it| {
                let number = it.name.number();
                answer(
                    running,
                    format!("generation {number}, which is staged, would be cancelled"),
                )
            }));
        }
        let cancelled = self.on_thread(|kept| kept.cancel_staged()).await?;
        let cancelled = cancelled.map_err(save_failure)?;
        Ok(cancelled.and_then(|name| {
            let number = name.number();
            answer(
                running,
                format!("cancelled generation {number}, which was staged"),
            )
        }))
    }

    async fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let moment = self.clock.now();
        let entries = self.on_thread(move |kept| kept.history(&moment)).await?;
        entries.map_err(|error| Failure::internal(cosi::report(&error)))
    }

    pub(super) async fn history(&self) -> Result<v1::ConfigHistoryResponse, Failure> {
        let entries = self.entries().await?;
        let generations = entries.into_iter().map(entry).collect();
        Ok(v1::ConfigHistoryResponse { generations })
    }

    pub(super) async fn diff(
        &self,
        request: &v1::DiffConfigRequest,
    ) -> Result<v1::DiffConfigResponse, Failure> {
        let from = match request.from {
            Some(from) => from,
            None => self.on_thread(|kept| kept.before()).await?.ok_or_else(|| {
                Failure::precondition("there is no earlier config to compare with")
            })?,
        };
        let to = request.to.unwrap_or_else(|| self.number());
        let compared = self.on_thread(move |kept| {
            let (from, to) = (kept.numbered(from)?, kept.numbered(to)?);
            Ok::<_, String>(::config::diff(&from.documents, &to.documents))
        });
        let diff = compared.await?.map_err(Failure::not_found)?;
        Ok(v1::DiffConfigResponse { from, to, diff })
    }
}

fn entry(entry: Entry) -> v1::ConfigGeneration {
    let Entry {
        name,
        record,
        state,
        proven,
    } = entry;
    let (word, left) = match state {
        None => ("", 0),
        Some(State::Active) => ("active", 0),
        Some(State::Trying(left)) => ("trying", u32::try_from(left.as_secs()).unwrap_or(u32::MAX)),
        Some(State::Staged) => ("staged", 0),
        Some(State::RolledBack) => ("rolled-back", 0),
    };
    v1::ConfigGeneration {
        generation: name.number(),
        hash: name.hash().to_owned(),
        time: record.as_ref().map(|it| wire_time(it.time)),
        by: record.as_ref().map(|it| it.by.clone()).unwrap_or_default(),
        mode: record.map_or("", |it| it.mode.word()).to_owned(),
        state: word.to_owned(),
        seconds_left: left,
        proven,
    }
}
