//! The last configs that were applied, in a folder that survives this process and, on a disk, a
//! power cut at any step.
//!
//! An apply first makes the new generation's file whole, then turns the pointer `current` to it:
//! each by write, sync, rename and sync of the folder. At every moment the pointer names a whole
//! file. If one is damaged all the same, loading says so and takes the generation before it.
//!
//! A generation that this process has run for long enough is proven. Safe mode tries the proven one, once: a mark says
//! that it is being tried, and only running long enough again or leaving safe mode takes the mark away.

use std::io;

use config::Problems;

use super::files::Files;
use super::generation::{Generation, Name};
use super::order;

/// How many generations are kept.
pub const KEEP: usize = 10;

/// The file that names the active generation.
const POINTER: &str = "current";
/// The file that names the generation that has run long enough.
const PROVEN: &str = "proven";
/// The file that says that safe mode is trying the proven generation.
const TRIED: &str = "tried";
/// What a file is called until it is whole.
const UNFINISHED: &str = "unfinished";

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
pub struct LoadError(#[source] io::Error);

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

impl From<LoadError> for SaveError {
    fn from(LoadError(source): LoadError) -> Self {
        Self::List(source)
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

    /// The active generation, or the newest before it that is whole.
    ///
    /// # Errors
    /// When the folder cannot be read; damaged files are no error.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        let names = self.names().map_err(LoadError)?;
        let mut passed_over = Vec::new();
        let pointer = match self.pointer(POINTER) {
            Ok(name) => Some(name),
            Err(_) if names.is_empty() => None,
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
        for name in order::to_try(pointer.as_ref(), all) {
            match self.read(&name) {
                Ok(generation) => {
                    return Ok(Loaded {
                        active: Some(generation),
                        passed_over,
                    });
                }
                Err(reason) => passed_over.push(PassedOver {
                    name: name.to_string(),
                    reason,
                }),
            }
        }
        Ok(Loaded {
            active: None,
            passed_over,
        })
    }

    /// The generation for safe mode, marked as tried: the proven one, unless it is the active one, which did not stay
    /// up, or was tried before. Damaged files are as good as none.
    pub fn try_proven(&mut self) -> Option<Generation> {
        let proven = self.pointer(PROVEN).ok()?;
        let tried = self.files.read(TRIED).is_ok();
        if tried || self.pointer(POINTER).ok().as_ref() == Some(&proven) {
            return None;
        }
        let generation = self.read(&proven).ok()?;
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
        if self.files.read(TRIED).is_err() {
            return Ok(());
        }
        self.remove(TRIED)
    }

    /// Checks a config and makes it the active generation; the same text again changes nothing.
    ///
    /// # Errors
    /// When it is wrong or cannot be stored: the generation before stays the active one.
    pub fn save(&mut self, source: &str, bytes: &[u8]) -> Result<Generation, SaveError> {
        let documents = config::check(source, bytes).map_err(SaveError::Refused)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let name = self.activate(0, &text)?;
        Ok(Generation {
            name,
            text,
            documents,
        })
    }

    /// Makes a config of another folder the active generation, under its own number if that was not given yet; the same
    /// text again changes nothing.
    ///
    /// # Errors
    /// When it cannot be stored: the generation before stays the active one.
    pub fn adopt(&mut self, number: u64, text: &str) -> Result<(), SaveError> {
        self.activate(number, text).map(drop)
    }

    /// Stores a text and points to it.
    fn activate(&mut self, at_least: u64, text: &str) -> Result<Name, SaveError> {
        let names = self.names().map_err(SaveError::List)?;
        let pointer = self.pointer(POINTER).ok();
        if let Some(name) = pointer
            .clone()
            .filter(|it| it.proves(text.as_bytes()) && self.read(it).is_ok())
        {
            // Whoever pointed to it may have been killed before that was sure to stay.
            return self.sync(POINTER).map(|()| name);
        }
        let number = order::next(names.iter().chain(&pointer), at_least);
        let name = Name::new(number, text);
        self.store(&name.to_string(), text.as_bytes())?;
        self.store(POINTER, format!("{name}\n").as_bytes())?;
        self.tidy(&name, names);
        Ok(name)
    }

    /// Removes everything. The active generation is the last one, and its pointer goes after it: whoever is stopped on
    /// the way leaves that one or none, but no other.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&mut self) -> Result<(), SaveError> {
        let active = self.load()?.active.map(|it| it.name.to_string());
        let mut names = self.files.names().map_err(SaveError::List)?;
        names.sort_by_key(|name| (name == POINTER, active.as_ref() == Some(name)));
        names.iter().try_for_each(|name| self.remove(name))
    }

    /// Makes the names stay, for the sake of that file.
    fn sync(&mut self, name: &str) -> Result<(), SaveError> {
        self.files.sync().map_err(|source| SaveError::Store {
            name: name.to_owned(),
            source,
        })
    }

    fn remove(&mut self, name: &str) -> Result<(), SaveError> {
        self.files.remove(name).map_err(|source| SaveError::Remove {
            name: name.to_owned(),
            source,
        })
    }

    /// Removes what is too old. The apply is done already, so a failure only costs space until
    /// the next one.
    fn tidy(&mut self, active: &Name, names: Vec<Name>) {
        let proven = self.pointer(PROVEN).ok();
        let all = names.into_iter().chain([active.clone()]);
        for name in order::to_remove(active, all, KEEP) {
            if proven.as_ref() == Some(&name) {
                continue;
            }
            if let Err(error) = self.files.remove(&name.to_string()) {
                tracing::warn!(%name, %error, "cannot remove an old config generation");
            }
        }
    }

    /// Makes a file whole, then gives it its name, both to stay.
    fn store(&mut self, name: &str, bytes: &[u8]) -> Result<(), SaveError> {
        let mut steps = || {
            self.files.write(UNFINISHED, bytes)?;
            self.files.rename(UNFINISHED, name)?;
            self.files.sync()
        };
        steps().map_err(|source| SaveError::Store {
            name: name.to_owned(),
            source,
        })
    }

    fn names(&self) -> io::Result<Vec<Name>> {
        let mut names: Vec<Name> = self
            .files
            .names()?
            .iter()
            .filter_map(|it| it.parse().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    fn pointer(&self, file: &str) -> Result<Name, String> {
        let bytes = self.files.read(file).map_err(|it| it.to_string())?;
        String::from_utf8_lossy(&bytes)
            .trim_end()
            .parse()
            .map_err(|it: super::generation::NameError| it.to_string())
    }

    fn read(&self, name: &Name) -> Result<Generation, String> {
        let bytes = self
            .files
            .read(&name.to_string())
            .map_err(|it| it.to_string())?;
        if !name.proves(&bytes) {
            return Err("the content does not have the hash in its name".to_owned());
        }
        let source = format!("generation {}", name.number());
        let documents = config::parse(&source, &bytes).map_err(|it| it.to_string())?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Generation {
            name: name.clone(),
            text,
            documents,
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
