//! What the head runs once it is told where configs are kept: at the start, and when the disk comes or goes.

use std::sync::{Arc, PoisonError};

use jiff::Timestamp;

use super::{Beginning, Head, HeadError};
use crate::config::{
    Active, Choose, Generation, Mode, Name, PassedOver, Record, Settled, Storage, active,
};
use crate::node::conditions::forget_condition;
use crate::runtime::stage::status::{CONFIG, STORE};

impl Head {
    /// Makes the newest good config the active one, in safe mode the one that ran long enough before; without one the
    /// node is in maintenance mode, and says why, or waits for its disk. An end of the machine that was ordered before is gone on with.
    /// Files are read here and now: nothing else goes on yet.
    ///
    /// # Errors
    /// What is kept in memory cannot be read, or the state refuses.
    pub fn load(&mut self, beginning: &Beginning, now: Timestamp) -> Result<(), HeadError> {
        self.beginning = beginning.clone();
        let storage = self.storage.borrow_and_update().clone();
        let choose = self.choose();
        let settled = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.settle(&storage, choose, None, &self.clock.now())
        };
        self.run_settled(&storage, settled.map_err(HeadError::Load)?, now)?;
        self.go_on();
        Ok(())
    }

    /// Moves to where configs are kept now. What runs goes on running if nothing better is found.
    pub(super) async fn settle(&mut self) {
        let storage = self.storage.borrow_and_update().clone();
        tracing::info!(?storage, "where configs are kept");
        let choose = self.choose();
        let (at, running, moment) = (storage.clone(), self.running(), self.clock.now());
        let settled =
            self.on_thread(move |kept| kept.settle(&at, choose, running.as_ref(), &moment));
        let done = match settled.await {
            Ok(Ok(settled)) => self.run_settled(&storage, settled, Timestamp::now()),
            Ok(Err(error)) => Err(HeadError::Load(error)),
            Err(error) => {
                tracing::error!(%error, "moving the config");
                return;
            }
        };
        if let Err(error) = done {
            tracing::error!("moving the config: {}", cosi::report(&error));
        }
    }

    fn choose(&self) -> Choose {
        if self.is_safe() {
            Choose::Proven
        } else {
            Choose::Active
        }
    }

    fn run_settled(
        &mut self,
        storage: &Storage,
        settled: Settled,
        now: Timestamp,
    ) -> Result<(), HeadError> {
        let Settled {
            active,
            trial,
            passed_over,
            trouble,
        } = settled;
        let number = active.as_ref().map(|it| it.name.number());
        let trouble = passed_over_trouble(&passed_over, trouble, number);
        let trouble = match (&self.beginning, trouble) {
            (Beginning::Safe { last_end }, trouble) => {
                Some(safe_trouble(last_end, number, trouble))
            }
            (Beginning::Waiting { reason }, None) if number.is_none() => Some(reason.clone()),
            (_, trouble) => trouble,
        };
        match active {
            Some(generation) if !self.runs(&generation) => {
                let cause = match self.beginning {
                    Beginning::Safe { .. } => "safe mode: the config that ran well before",
                    _ => "kept config",
                };
                self.activate(&generation, cause, now)?;
            }
            _ => {}
        }
        if let Some(left) = trial {
            self.for_now(left);
        }
        let (known, message) = kept_where(storage);
        self.condition(STORE, known, &message, now)?;
        match trouble {
            Some(reason) => self.condition(CONFIG, false, &reason, now),
            None if trial.is_some() => self.condition(CONFIG, true, "on trial", now),
            None if number.is_some() => self.condition(CONFIG, true, "active", now),
            None => forget_condition(&self.store, CONFIG, now).map_err(HeadError::Commit),
        }
    }

    /// What runs, as it was kept.
    fn running(&self) -> Option<Generation> {
        let Active { config, documents } = active(&self.store.snapshot()).ok()??;
        let name = Name::new(config.generation, &config.text);
        let time = i64::try_from(config.applied_seconds).ok();
        let time = time.and_then(|it| Timestamp::from_second(it).ok());
        let record = Record {
            time: time.unwrap_or_default(),
            by: config.applied_by.clone(),
            mode: Mode::Auto,
            taken: self.trial.is_none(),
        };
        Some(Generation {
            name,
            text: config.text.clone(),
            documents: Arc::unwrap_or_clone(documents),
            record: Some(record).filter(|it| !it.by.is_empty()),
        })
    }

    /// Whether this is what runs already.
    fn runs(&self, generation: &Generation) -> bool {
        let active = active(&self.store.snapshot()).ok().flatten();
        active.is_some_and(
            |Active {
                 config: running, ..
             }| {
                running.generation == generation.name.number()
                    && running.hash == generation.name.hash()
            },
        )
    }
}

fn passed_over_trouble(
    passed_over: &[PassedOver],
    trouble: Option<String>,
    running: Option<u64>,
) -> Option<String> {
    for it in passed_over {
        tracing::error!(file = it.name, reason = it.reason, "config passed over");
    }
    let worse = passed_over
        .first()
        .map(|it| format!("{}: {}", it.name, it.reason));
    let worse = [trouble, worse].into_iter().flatten();
    let worse = worse.collect::<Vec<_>>().join("; ");
    match (worse.is_empty(), running) {
        (true, _) => None,
        (false, Some(number)) => Some(format!("{worse}; running generation {number}")),
        (false, None) => Some(worse),
    }
}

fn safe_trouble(last_end: &str, running: Option<u64>, trouble: Option<String>) -> String {
    let reason =
        format!("safe mode: machined could not stay up with this config; last end: {last_end}");
    match (running, trouble) {
        (_, Some(trouble)) => format!("{reason}; {trouble}"),
        (Some(number), None) => {
            format!("{reason}; running generation {number}, which ran well before")
        }
        (None, None) => reason,
    }
}

/// Whether it is known where configs are kept, and where.
fn kept_where(storage: &Storage) -> (bool, String) {
    match storage {
        Storage::Looking => (false, "looking for the node's disk".to_owned()),
        Storage::Memory { reason } => (
            true,
            format!("configs are kept in memory until the machine restarts: {reason}"),
        ),
        Storage::State(path) => (
            true,
            format!("configs are kept on STATE at {}", path.display()),
        ),
    }
}
