//! The kept configs in the two places where they may be: in memory, and on STATE once that is mounted.
//!
//! What was applied while there was no disk is the newest act of a person. So when STATE appears it goes there, as the
//! generation that counts, and is forgotten in memory only after that. As long as memory holds a config nothing else is
//! written to STATE: whoever is stopped between two steps finds the old config or the new one, never an older one.

use std::path::Path;

use super::files::{Disk, Files};
use super::generation::{Generation, Name};
use super::generations::{Generations, LoadError, Loaded, PassedOver, SaveError};
use super::storage::Storage;

/// The folder of generations, below `/run/garboard` and on STATE.
pub const FOLDER: &str = "config";

/// The kept configs.
#[derive(Debug)]
pub struct Configs {
    memory: Generations<Disk>,
    state: Option<Generations<Disk>>,
}

/// What to run, now that it is known where configs are kept.
#[derive(Debug)]
pub struct Settled {
    /// The config to run, if there is one.
    pub active: Option<Generation>,
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
        }
    }

    /// Moves to where configs are kept from now on. `running` is the number and text of what runs; where STATE goes away
    /// it stays in memory.
    ///
    /// # Errors
    /// Memory cannot be read; STATE that cannot be read is a trouble.
    pub fn settle(
        &mut self,
        storage: &Storage,
        choose: Choose,
        running: Option<(u64, &str)>,
    ) -> Result<Settled, LoadError> {
        let mut trouble = None;
        if let (Some(_), Some((number, text)), Choose::Active) =
            (self.state.take(), running, choose)
            && let Err(error) = self.memory.adopt(number, text)
        {
            trouble = Some(format!(
                "the config is not kept in memory: {}",
                cosi::report(&error)
            ));
        }
        if let Storage::State(root) = storage {
            match open(root) {
                Ok(state) => return self.take_up(state, choose),
                Err(reason) => trouble = Some(format!("STATE cannot be used: {reason}")),
            }
        }
        let loaded = load(&mut self.memory, choose)?;
        Ok(settled(loaded, trouble))
    }

    /// Keeps configs on STATE, beginning with what memory holds.
    fn take_up(
        &mut self,
        mut state: Generations<Disk>,
        choose: Choose,
    ) -> Result<Settled, LoadError> {
        let adopted = adopt(&mut self.memory, &mut state);
        let from = match adopted {
            Ok(()) => &mut state,
            Err(_) => &mut self.memory,
        };
        let loaded = load(from, choose);
        self.state = Some(state);
        let trouble = adopted.err().map(|error| {
            let error = cosi::report(&error);
            format!("the config given in memory cannot be kept on STATE: {error}")
        });
        Ok(settled(loaded?, trouble))
    }

    fn here(&mut self) -> &mut Generations<Disk> {
        self.state.as_mut().unwrap_or(&mut self.memory)
    }

    /// Checks a config and makes it the active generation; the same text again changes nothing.
    ///
    /// # Errors
    /// When it is wrong or cannot be stored: the generation before stays the active one.
    pub fn save(&mut self, source: &str, bytes: &[u8]) -> Result<Generation, SaveError> {
        if let Some(state) = &mut self.state {
            adopt(&mut self.memory, state)?;
        }
        self.here().save(source, bytes)
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

fn load<F: Files>(from: &mut Generations<F>, choose: Choose) -> Result<Loaded, LoadError> {
    match choose {
        Choose::Active => {
            if let Err(error) = from.forget_trial() {
                tracing::warn!("{}", cosi::report(&error));
            }
            from.load()
        }
        Choose::Proven => Ok(Loaded {
            active: from.try_proven(),
            passed_over: Vec::new(),
        }),
    }
}

fn settled(loaded: Loaded, trouble: Option<String>) -> Settled {
    let Loaded {
        active,
        passed_over,
    } = loaded;
    Settled {
        active,
        passed_over,
        trouble,
    }
}

/// Makes what memory holds the active generation on STATE, then forgets it in memory.
fn adopt<M: Files, S: Files>(
    memory: &mut Generations<M>,
    state: &mut Generations<S>,
) -> Result<(), SaveError> {
    if let Some(it) = memory.load().map_err(SaveError::from)?.active {
        state.adopt(it.name.number(), &it.text)?;
    }
    memory.clear()
}

#[cfg(test)]
mod tests;
