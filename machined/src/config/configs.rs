//! The kept configs in the two places where they may be: in memory, and on STATE once that is mounted.
//!
//! What was applied while there was no disk is the newest act of a person. So when STATE appears it goes there, as the
//! generation that counts, and is forgotten in memory only after that. As long as memory holds a config nothing else is
//! written to STATE: whoever is stopped between two steps finds the old config or the new one, never an older one.

use std::path::Path;
use std::time::Duration;

use super::files::{Disk, Files};
use super::generation::{Generation, Name};
use super::generations::{
    Applied, Effect, Entry, Generations, LoadError, Loaded, PassedOver, SaveError,
};
use super::pending::{Moment, Pending};
use super::storage::Storage;

/// The folder of generations, below `/run/garboard` and on STATE.
pub const FOLDER: &str = "config";

/// The kept configs.
#[derive(Debug)]
pub struct Configs {
    memory: Generations<Disk>,
    state: Option<Generations<Disk>>,
    tried: Option<Tried>,
}

/// What is needed when a trial ends and its folder is gone by then.
#[derive(Debug)]
struct Tried {
    pending: Pending,
    /// What runs again after it, if anything does.
    fallback: Option<Generation>,
}

/// What to run, now that it is known where configs are kept.
#[derive(Debug)]
pub struct Settled {
    /// The config to run, if there is one.
    pub active: Option<Generation>,
    /// It is tried, and for so long.
    pub trial: Option<Duration>,
    /// What should have been taken and could not.
    pub passed_over: Vec<PassedOver>,
    /// Why configs are kept in memory though STATE is there.
    pub trouble: Option<String>,
}

/// How to choose among what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choose {
    /// The active one. Safe mode was left with that, and the next one may try the proven one again.
    Active,
    /// The one that ran long enough before: for safe mode.
    Proven,
}

impl Configs {
    /// Configs in memory; STATE is told later.
    #[must_use]
    pub fn new(memory: Generations<Disk>) -> Self {
        Self {
            memory,
            state: None,
            tried: None,
        }
    }

    /// Moves to where configs are kept from now on. `running` is what runs; where STATE goes away it stays in memory.
    ///
    /// # Errors
    /// Memory cannot be read; STATE that cannot be read is a trouble.
    pub fn settle(
        &mut self,
        storage: &Storage,
        choose: Choose,
        running: Option<&Generation>,
        now: &Moment,
    ) -> Result<Settled, LoadError> {
        let mut trouble = None;
        if let (Some(_), Some(running), Choose::Active) = (self.state.take(), running, choose)
            && let Err(error) = self.hold(running)
        {
            trouble = Some(format!(
                "the config is not kept in memory: {}",
                cosi::report(&error)
            ));
        }
        let mut settled = match storage {
            Storage::State(root) => match open(root) {
                Ok(state) => self.take_up(state, choose, now)?,
                Err(reason) => {
                    trouble = Some(format!("STATE cannot be used: {reason}"));
                    load(&mut self.memory, choose, now)?.into()
                }
            },
            Storage::Looking | Storage::Memory { .. } => {
                load(&mut self.memory, choose, now)?.into()
            }
        };
        self.note_trial(now);
        settled.trouble = settled.trouble.or(trouble);
        Ok(settled)
    }

    /// Keeps in memory what runs, and what it is to go back to while it is tried.
    fn hold(&mut self, running: &Generation) -> Result<(), SaveError> {
        let adopt = |memory: &mut Generations<Disk>, it: &Generation| {
            memory.adopt(it.name.number(), &it.text, it.record.as_ref())
        };
        let Some(Tried { pending, fallback }) = &self.tried else {
            return adopt(&mut self.memory, running);
        };
        if let Some(fallback) = fallback {
            adopt(&mut self.memory, fallback)?;
        }
        self.memory.adopt_trial(running, pending)
    }

    /// Keeps configs on STATE, beginning with what memory holds.
    fn take_up(
        &mut self,
        mut state: Generations<Disk>,
        choose: Choose,
        now: &Moment,
    ) -> Result<Settled, LoadError> {
        let adopted = adopt(&mut self.memory, &mut state, now);
        let from = match adopted {
            Ok(()) => &mut state,
            Err(_) => &mut self.memory,
        };
        let loaded = load(from, choose, now);
        self.state = Some(state);
        let trouble = adopted.err().map(|error| {
            let error = cosi::report(&error);
            format!("the config given in memory cannot be kept on STATE: {error}")
        });
        let settled = Settled::from(loaded?);
        Ok(Settled { trouble, ..settled })
    }

    /// Remembers what a trial needs when its folder is gone.
    fn note_trial(&mut self, now: &Moment) {
        let here = self.state.as_ref().unwrap_or(&self.memory);
        self.tried = here.on_trial(now).map(|(_, pending)| Tried {
            pending,
            fallback: here.active().ok().and_then(|it| it.active),
        });
    }

    fn here(&mut self) -> &mut Generations<Disk> {
        self.state.as_mut().unwrap_or(&mut self.memory)
    }

    /// Checks a config and lets it take effect; how long it is tried, if it is. The text of the active generation again
    /// changes nothing but what was tried or staged before.
    ///
    /// # Errors
    /// When it is wrong or cannot be stored: the generation before stays the active one.
    pub fn save(
        &mut self,
        source: &str,
        bytes: &[u8],
        effect: &Effect,
        by: &Applied,
    ) -> Result<(Generation, Option<Duration>), SaveError> {
        let saved = match &mut self.state {
            Some(state) => adopt(&mut self.memory, state, &by.now)
                .and_then(|()| state.save(source, bytes, effect, by))
                .map_err(SaveError::on_state)?,
            None => self.memory.save(source, bytes, effect, by)?,
        };
        self.note_trial(&by.now);
        let until = self.tried.as_ref().and_then(|it| it.pending.until);
        let left = until.and_then(|it| it.checked_sub(by.now.since_boot));
        Ok((saved, left))
    }

    /// Makes the generation on trial the active one; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be noted: it stays on trial.
    pub fn confirm(&mut self, now: &Moment) -> Result<Option<Name>, SaveError> {
        let confirmed = self.here().confirm(now)?;
        self.tried = None;
        Ok(confirmed)
    }

    /// Ends a trial: what to run again, and whether the end could be noted.
    pub fn end_trial(&mut self) -> (Option<Generation>, Result<(), SaveError>) {
        let fallback = self.tried.take().and_then(|it| it.fallback);
        let noted = self.here().end_trial();
        let active = self.here().active().ok().and_then(|it| it.active);
        (active.or(fallback), noted)
    }

    /// Forgets what waits for the next boot; its name, if there was one.
    ///
    /// # Errors
    /// When it cannot be noted: it still waits.
    pub fn cancel_staged(&mut self) -> Result<Option<Name>, SaveError> {
        self.here().cancel_staged()
    }

    /// All generations that are kept, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn history(&mut self, now: &Moment) -> Result<Vec<Entry>, LoadError> {
        self.here().history(now)
    }

    /// The generation of that number.
    ///
    /// # Errors
    /// Why there is none, for a person.
    pub fn numbered(&mut self, number: u64) -> Result<Generation, String> {
        self.here().numbered(number)
    }

    /// The number of the generation that was active before the one that is, if it is still kept.
    pub fn before(&mut self) -> Option<u64> {
        self.here().before()
    }

    /// Notes that a generation has run long enough.
    ///
    /// # Errors
    /// When it cannot be noted; the one before stays the proven one.
    pub fn prove(&mut self, name: &Name) -> Result<(), SaveError> {
        self.here().prove(name)
    }
}

/// The generations on STATE, if they can be read.
fn open(root: &Path) -> Result<Generations<Disk>, String> {
    let disk = Disk::open(&root.join(FOLDER)).map_err(|error| cosi::report(&error))?;
    let state = Generations::new(disk);
    state.list().map_err(|error| cosi::report(&error))?;
    Ok(state)
}

fn load<F: Files>(
    from: &mut Generations<F>,
    choose: Choose,
    now: &Moment,
) -> Result<Loaded, LoadError> {
    match choose {
        Choose::Active => {
            if let Err(error) = from.forget_trial() {
                tracing::warn!("{}", cosi::report(&error));
            }
            from.load(now)
        }
        Choose::Proven => Ok(Loaded {
            active: from.try_proven(now),
            trial: None,
            passed_over: Vec::new(),
        }),
    }
}

impl From<Loaded> for Settled {
    fn from(loaded: Loaded) -> Self {
        let Loaded {
            active,
            trial,
            passed_over,
        } = loaded;
        Self {
            active,
            trial,
            passed_over,
            trouble: None,
        }
    }
}

/// Makes what memory holds the active generation on STATE, and what it tries the tried one, then forgets both in memory.
fn adopt<M: Files, S: Files>(
    memory: &mut Generations<M>,
    state: &mut Generations<S>,
    now: &Moment,
) -> Result<(), SaveError> {
    if let Some(it) = memory.active()?.active {
        state.adopt(it.name.number(), &it.text, it.record.as_ref())?;
    }
    if let Some((generation, pending)) = memory.on_trial(now) {
        state.adopt_trial(&generation, &pending)?;
    }
    memory.clear()
}

#[cfg(test)]
mod tests;
