//! The last configs that were applied, in a folder that survives this process and, on a disk, a
//! power cut at any step.
//!
//! An apply first makes the new generation's file whole, then turns the pointer `current` to it, or one that says that it
//! is tried or staged: each by write, sync, rename and sync of the folder. At every moment the pointer names a whole
//! file. If one is damaged all the same, loading says so and takes the generation before it.
//!
//! A generation that this process has run for long enough is proven. Safe mode tries the proven one, once: a mark says
//! that it is being tried, and only running long enough again or leaving safe mode takes the mark away.

mod history;
mod steps;

pub use history::{Entry, State};

use std::io;
use std::time::Duration;

use config::Problems;

use super::files::Files;
use super::generation::{Generation, Name};
use super::order;
use super::pending::{Choice, Moment, Pending, choose, waits};
use super::record::{Mode, Record};

/// How many generations are kept.
pub const KEEP: usize = 10;

/// The file that names the active generation.
const POINTER: &str = "current";
/// The file that names the generation that is tried, and until when.
const TRYING: &str = "trying";
/// The file that names the generation that waits for the next boot.
const STAGED: &str = "staged";
/// The file that names the generation that has run long enough.
const PROVEN: &str = "proven";
/// The file that says that safe mode is trying the proven generation.
const TRIED: &str = "tried";
/// The file that says that all others are to be removed.
const CLEARED: &str = "cleared";
/// What a file is called until it is whole.
const UNFINISHED: &str = "unfinished";

/// What to do about a full STATE.
const FULL: &str = "has no room left; `osctl ls /run/garboard/state` shows what fills it, and `osctl reset` empties it";
/// What to do about one that fails.
const BROKEN: &str = "cannot be used; `osctl get volumes STATE` and `osctl logs kernel` say why";

/// The folder of generations.
#[derive(Debug)]
pub struct Generations<F> {
    files: F,
}

/// What was found at start.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The config to run; `None` on a node that has none.
    pub active: Option<Generation>,
    /// It is tried, and for so long.
    pub trial: Option<Duration>,
    /// What should have been taken and could not.
    pub passed_over: Vec<PassedOver>,
}

/// A file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its name.
    pub name: String,
    /// Why not, for a person.
    pub reason: String,
}

/// The folder could not be read.
#[derive(Debug, thiserror::Error)]
#[error("list the config generations")]
pub struct LoadError(#[source] pub(super) io::Error);

/// A config was not applied; the one before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It is wrong.
    #[error("the config is refused")]
    Refused(#[source] Problems),
    /// The folder could not be read.
    #[error("list the config generations")]
    List(#[source] io::Error),
    /// A file could not be written.
    #[error("store {name}")]
    Store {
        /// The file.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// STATE does not take it.
    #[error("the config is not applied, since it could not be kept: STATE {advice}")]
    State {
        /// What is wrong with STATE, and the way out.
        advice: &'static str,
        /// What failed there.
        #[source]
        source: Box<SaveError>,
    },
    /// A file could not be removed.
    #[error("remove {name}")]
    Remove {
        /// The file.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl SaveError {
    /// The same, of the folder on STATE. A config that is wrong is not the fault of where it is kept.
    #[must_use]
    pub fn on_state(self) -> Self {
        let source = match &self {
            Self::Refused(_) | Self::State { .. } => return self,
            Self::List(source) | Self::Store { source, .. } | Self::Remove { source, .. } => source,
        };
        let advice = match source.kind() {
            // Too many files is the same error.
            io::ErrorKind::StorageFull => FULL,
            _ => BROKEN,
        };
        Self::State {
            advice,
            source: Box::new(self),
        }
    }
}

impl From<LoadError> for SaveError {
    fn from(LoadError(source): LoadError) -> Self {
        Self::List(source)
    }
}

/// How a config is to take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// At once and for good.
    Now,
    /// With the next boot.
    NextBoot,
    /// At once, until so long after the boot.
    Until(Duration),
}

impl Effect {
    fn mode(&self) -> Mode {
        match self {
            Self::Now => Mode::Auto,
            Self::NextBoot => Mode::Staged,
            Self::Until(_) => Mode::Try,
        }
    }
}

impl<F: Files> Generations<F> {
    /// Uses a folder.
    pub fn new(files: F) -> Self {
        Self { files }
    }

    /// The kept generations, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Name>, LoadError> {
        self.names().map_err(LoadError)
    }

    /// The generation to run: the one on trial, or the active one, or the newest before it that is whole. One that was
    /// staged in another boot becomes the active one.
    ///
    /// # Errors
    /// When the folder cannot be read; damaged files are no error.
    pub fn load(&mut self, now: &Moment) -> Result<Loaded, LoadError> {
        let mut passed_over = Vec::new();
        let pass_over = |name: &Name, reason| PassedOver {
            name: name.to_string(),
            reason,
        };
        match self.choice(now) {
            Choice::Active => {}
            Choice::Try(name, left) => match self.read(&name) {
                Ok(generation) => {
                    return Ok(Loaded {
                        active: Some(generation),
                        trial: Some(left),
                        passed_over,
                    });
                }
                Err(reason) => passed_over.push(pass_over(&name, reason)),
            },
            Choice::Promote(name) => {
                let whole = self.read(&name).map(drop);
                let promoted = whole.and_then(|()| {
                    let promoted = self.take(&name).and_then(|()| self.forget(STAGED));
                    promoted.map_err(|error| cosi::report(&error))
                });
                passed_over.extend(promoted.err().map(|reason| pass_over(&name, reason)));
            }
        }
        let mut loaded = self.active()?;
        passed_over.append(&mut loaded.passed_over);
        Ok(Loaded {
            passed_over,
            ..loaded
        })
    }

    /// What runs when nothing is tried or staged.
    ///
    /// # Errors
    /// When the folder cannot be read; damaged files are no error.
    pub fn active(&self) -> Result<Loaded, LoadError> {
        let names = self.names().map_err(LoadError)?;
        let mut passed_over = Vec::new();
        if self.is_cleared() {
            return Ok(Loaded {
                active: None,
                trial: None,
                passed_over,
            });
        }
        let taken = |name: &Name| self.record(name).is_none_or(|it| it.taken);
        let pointer = match self.pointer(POINTER) {
            Ok(name) => Some(name),
            // Nothing was ever the active one.
            Err(_) if !names.iter().any(taken) => None,
            Err(reason) => {
                passed_over.push(PassedOver {
                    name: POINTER.to_owned(),
                    reason,
                });
                None
            }
        };
        // A pointer to a file that is gone must be said too.
        let missing = pointer.iter().filter(|it| !names.contains(it)).cloned();
        let all: Vec<Name> = names.iter().cloned().chain(missing).collect();
        let mut active = None;
        for name in order::to_try(pointer.as_ref(), all) {
            if pointer.as_ref() != Some(&name) && !taken(&name) {
                continue;
            }
            match self.read(&name) {
                Ok(generation) => {
                    active = Some(generation);
                    break;
                }
                Err(reason) => passed_over.push(PassedOver {
                    name: name.to_string(),
                    reason,
                }),
            }
        }
        Ok(Loaded {
            active,
            trial: None,
            passed_over,
        })
    }

    /// The generation for safe mode, marked as tried. What was on trial has failed, and the active one runs again; else
    /// it is the proven one, unless it is the active one, which did not stay up, or was tried before. Damaged files are
    /// as good as none.
    pub fn try_proven(&mut self, now: &Moment) -> Option<Generation> {
        let tried = self.files.read(TRIED).is_ok();
        let wanted = match self.choice(now) {
            Choice::Try(..) => {
                self.forget(TRYING).ok()?;
                self.pointer(POINTER).ok()?
            }
            _ => {
                let proven = self.pointer(PROVEN).ok()?;
                if tried || self.pointer(POINTER).ok().as_ref() == Some(&proven) {
                    return None;
                }
                proven
            }
        };
        let generation = self.read(&wanted).ok()?;
        // Without the mark it might be tried for ever.
        self.store(TRIED, b"").ok()?;
        Some(generation)
    }

    /// Notes that a generation has run long enough.
    ///
    /// # Errors
    /// When it cannot be noted; the one before stays the proven one.
    pub fn prove(&mut self, name: &Name) -> Result<(), SaveError> {
        if self.pointer(PROVEN).ok().as_ref() != Some(name) {
            self.store(PROVEN, format!("{name}\n").as_bytes())?;
        }
        self.forget_trial()
    }

    /// Notes that safe mode was left, so that the next one may try again.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn forget_trial(&mut self) -> Result<(), SaveError> {
        self.forget(TRIED)
    }

    /// Checks a config and lets it take effect, which ends what was tried or staged before; the text of the active
    /// generation again changes nothing else.
    ///
    /// # Errors
    /// When it is wrong or cannot be stored: the generation before stays the active one.
    pub fn save(
        &mut self,
        source: &str,
        bytes: &[u8],
        effect: &Effect,
        by: &Applied,
    ) -> Result<Generation, SaveError> {
        let documents = config::check(source, bytes).map_err(SaveError::Refused)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let record = Record {
            time: by.time,
            by: by.by.clone(),
            mode: effect.mode(),
            taken: *effect == Effect::Now,
        };
        let name = self.keep(0, &text, Some(&record), effect, &by.now.boot)?;
        let record = self.record(&name);
        Ok(Generation {
            name,
            text,
            documents,
            record,
        })
    }

    /// Makes a config of another folder the active generation, under its own number if that was not given yet; the same
    /// text again changes nothing.
    ///
    /// # Errors
    /// When it cannot be stored: the generation before stays the active one.
    pub fn adopt(
        &mut self,
        number: u64,
        text: &str,
        record: Option<&Record>,
    ) -> Result<(), SaveError> {
        self.keep(number, text, record, &Effect::Now, "").map(drop)
    }
}

/// Who applies a config, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Who, for a person.
    pub by: String,
    /// When, by the node's clock.
    pub time: jiff::Timestamp,
    /// When, for what a clock that is stepped must not change.
    pub now: Moment,
}

#[cfg(test)]
pub(super) mod tests;
