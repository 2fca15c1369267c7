//! New documents: from a caller, from a source, or of an earlier generation.

use std::time::Duration;

use ::api::v1alpha1 as v1;
use jiff::Timestamp;

use super::{Head, HeadError};
use crate::api::{Caller, Failure};
use crate::config::{Applied, Effect, Generation, Storage, active};
use crate::kubernetes::release::check as release;
use crate::node::checks::{
    check, is_expected, keeps_the_caller, keeps_the_cluster, keeps_the_role, save_failure,
};
use crate::node::documents::{self, SOURCE};
use crate::runtime::stage::status::CONFIG;

/// How long a config is tried when nobody says: time to find out that the node cannot be reached, and to try once more.
const TRY: Duration = Duration::from_secs(60);
/// A shorter trial is over before the answer is read.
const SHORTEST: u32 = 10;
/// A longer one is forgotten by the person who began it.
const LONGEST: u32 = 24 * 60 * 60;

/// Documents that may become the config, and what that would change.
pub(super) struct Checked {
    pub(super) documents: Vec<u8>,
    /// The generation that runs; 0 for none.
    pub(super) running: u64,
    pub(super) changes: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Head {
    pub(super) async fn apply(
        &mut self,
        caller: &Caller,
        request: v1::ApplyConfigRequest,
    ) -> Result<v1::ApplyConfigResponse, Failure> {
        let effect = self.effect(request.mode(), request.try_seconds)?;
        let v1::ApplyConfigRequest {
            documents,
            dry_run,
            expected_generation,
            force,
            ..
        } = request;
        let checked = self
            .checked(caller, documents, expected_generation, force)
            .await?;
        let Checked {
            documents,
            running,
            changes,
            warnings,
        } = checked;
        let generation = if dry_run {
            running
        } else {
            let by = by(caller);
            let cause = format!("config apply by {by}");
            self.take(documents, &effect, &by, &cause).await?
        };
        Ok(v1::ApplyConfigResponse {
            generation,
            changes,
            warnings,
        })
    }

    /// How a config takes effect, if it can in this way here and now.
    fn effect(&self, mode: v1::ApplyMode, try_seconds: u32) -> Result<Effect, Failure> {
        if mode == v1::ApplyMode::Auto {
            return Ok(Effect::Now);
        }
        if self.is_safe() {
            return Err(Failure::precondition(
                "the node is in safe mode, which a config ends only at once: apply it with --mode auto",
            ));
        }
        if mode == v1::ApplyMode::Staged {
            if let Storage::Memory { reason } = &*self.storage.borrow() {
                return Err(Failure::precondition(format!(
                    "nothing would be left of a staged config at the next boot: there is no disk to keep it ({reason})"
                )));
            }
            if self.trial.is_some() {
                return Err(Failure::precondition(
                    "a config is tried now; keep it with `osctl config confirm` or end it with `osctl config rollback` \
                     before another is staged",
                ));
            }
            return Ok(Effect::NextBoot);
        }
        let time = match try_seconds {
            0 => TRY,
            SHORTEST..=LONGEST => Duration::from_secs(try_seconds.into()),
            other => {
                return Err(Failure::invalid(format!(
                    "a config is tried for {SHORTEST} to {LONGEST} seconds, not {other}"
                )));
            }
        };
        Ok(Effect::Until(self.clock.now().since_boot + time))
    }

    /// Refuses documents that may not become the config of this node.
    pub(super) async fn checked(
        &mut self,
        caller: &Caller,
        documents: Vec<u8>,
        expected: Option<u64>,
        force: bool,
    ) -> Result<Checked, Failure> {
        self.has_looked().await?;
        let now = Timestamp::now();
        let (wanted, documents) = self.on_thread(move |_| check(documents, now)).await??;
        let snapshot = self.store.snapshot();
        let active = active(&snapshot);
        let active = active.map_err(|error| Failure::internal(cosi::report(&error)))?;
        let number = active.as_ref().map_or(0, |it| it.config.generation);
        is_expected(expected, number)?;
        let running = active.as_ref().map(|it| &*it.documents);
        keeps_the_role(running, &wanted, force)?;
        keeps_the_cluster(running, &wanted, force)?;
        if running.is_some_and(|running| running.api_trust().is_some())
            && wanted.api_trust().is_none()
        {
            return Err(Failure::invalid(
                "these documents have no ApiTrust, so nobody could reach the node by certificate any more; add the one it has",
            ));
        }
        keeps_the_caller(caller, &wanted, now)?;
        let waits = release::check(&wanted, &snapshot)
            .map_err(|error| Failure::precondition(cosi::report(&error)))?;
        let disk = self.has_a_disk(running, &wanted, force).await?;
        let mut warnings = documents::warnings(&wanted, &snapshot);
        warnings.extend(disk.into_iter().chain(waits));
        Ok(Checked {
            documents,
            running: number,
            changes: documents::changes(running, &wanted),
            warnings,
        })
    }

    /// Takes what a source offers to a node without a config.
    pub(super) async fn offer(&mut self, source: &str, documents: Vec<u8>) -> Result<(), Failure> {
        self.has_looked().await?;
        let now = Timestamp::now();
        let (_, documents) = self.on_thread(move |_| check(documents, now)).await??;
        let active = active(&self.store.snapshot());
        if self.is_safe() || !matches!(active, Ok(None)) {
            // Somebody gave it one in the meantime.
            return Ok(());
        }
        self.take(documents, &Effect::Now, source, source)
            .await
            .map(drop)
    }

    /// Keeps checked documents and lets them take effect; their number.
    pub(super) async fn take(
        &mut self,
        documents: Vec<u8>,
        effect: &Effect,
        by: &str,
        cause: &str,
    ) -> Result<u64, Failure> {
        let now = Timestamp::now();
        let applied = Applied {
            by: by.to_owned(),
            time: now,
            now: self.clock.now(),
        };
        let wanted = effect.clone();
        let saved = self
            .on_thread(move |kept| kept.save(SOURCE, &documents, &wanted, &applied))
            .await?;
        let (generation, left) = saved.map_err(save_failure)?;
        let number = generation.name.number();
        let staged = generation.record.as_ref().is_some_and(|it| !it.taken) && left.is_none();
        let done = if staged {
            Ok(())
        } else if self.is_safe() {
            self.leave_safe_mode(number, now)
        } else {
            self.run_taken(&generation, left, cause, now)
        };
        done.map_err(|error| Failure::internal(cosi::report(&error)))?;
        Ok(number)
    }

    fn run_taken(
        &mut self,
        generation: &Generation,
        left: Option<Duration>,
        cause: &str,
        now: Timestamp,
    ) -> Result<(), HeadError> {
        self.activate(generation, cause, now)?;
        let Some(left) = left else {
            return self.condition(CONFIG, true, "active", now);
        };
        self.for_now(left);
        self.condition(CONFIG, true, "on trial", now)
    }
}

/// Who gives an order, for a person.
pub(super) fn by(caller: &Caller) -> String {
    format!("{} from {}", caller.subject, caller.source)
}
