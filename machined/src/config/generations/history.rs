//! What a person asks of the kept generations: which there are, to keep the tried one, to undo.

use std::time::Duration;

use super::{
    Choice, Files, Generation, Generations, LoadError, Moment, Name, POINTER, PROVEN, Pending,
    Record, STAGED, SaveError, TRYING, waits,
};

/// A kept generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number and hash.
    pub name: Name,
    /// What is known of it.
    pub record: Option<Record>,
    /// What it is now; `None` for one of before.
    pub state: Option<State>,
    /// It has run long enough for safe mode to go back to it.
    pub proven: bool,
}

/// What a generation is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The one that runs, and will after a restart; while another is tried, the one that is gone back to.
    Active,
    /// It is tried for so long.
    Trying(Duration),
    /// It waits for the next boot.
    Staged,
    /// It was tried or staged, and never became the active one.
    RolledBack,
}

impl<F: Files> Generations<F> {
    /// All that are kept, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn history(&self, now: &Moment) -> Result<Vec<Entry>, LoadError> {
        let active = self.pointer(POINTER).ok();
        let proven = self.pointer(PROVEN).ok();
        let staged = self.pending(STAGED);
        let staged = waits(active.as_ref(), staged.as_ref());
        let choice = self.choice(now);
        let entry = |name: Name| {
            let record = self.record(&name);
            let state = match &choice {
                Choice::Try(tried, left) if *tried == name => Some(State::Trying(*left)),
                _ if active.as_ref() == Some(&name) => Some(State::Active),
                _ if staged == Some(&name) => Some(State::Staged),
                _ => {
                    let never = record.as_ref().is_some_and(|it| !it.taken);
                    never.then_some(State::RolledBack)
                }
            };
            Entry {
                proven: proven.as_ref() == Some(&name),
                name,
                record,
                state,
            }
        };
        Ok(self.list()?.into_iter().map(entry).collect())
    }

    /// The generation of that number.
    ///
    /// # Errors
    /// Why there is none, for a person.
    pub fn numbered(&self, number: u64) -> Result<Generation, String> {
        let names = self.list().map_err(|error| cosi::report(&error))?;
        let Some(name) = names.iter().find(|it| it.number() == number) else {
            let there = names.iter().map(|it| it.number().to_string());
            let there = there.collect::<Vec<_>>().join(", ");
            return Err(format!(
                "generation {number} is not kept; there are: {there}"
            ));
        };
        let read = self.read(name);
        read.map_err(|reason| format!("generation {number} cannot be read: {reason}"))
    }

    /// The generation on trial, and the mark that says so.
    pub(in crate::config) fn on_trial(&self, now: &Moment) -> Option<(Generation, Pending)> {
        let Choice::Try(name, _) = self.choice(now) else {
            return None;
        };
        Some((self.read(&name).ok()?, self.pending(TRYING)?))
    }

    /// Makes the generation on trial the active one; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be noted: it stays on trial.
    pub fn confirm(&mut self, now: &Moment) -> Result<Option<Name>, SaveError> {
        let Choice::Try(name, _) = self.choice(now) else {
            return Ok(None);
        };
        self.take(&name)?;
        self.forget(TRYING)?;
        Ok(Some(name))
    }

    /// Ends a trial: the active generation is the one to run again.
    ///
    /// # Errors
    /// When it cannot be noted; its time ends it then.
    pub fn end_trial(&mut self) -> Result<(), SaveError> {
        self.forget(TRYING)
    }

    /// Forgets what waits for the next boot; its name, if there was one.
    ///
    /// # Errors
    /// When it cannot be noted: it still waits.
    pub fn cancel_staged(&mut self) -> Result<Option<Name>, SaveError> {
        let active = self.pointer(POINTER).ok();
        let staged = self.pending(STAGED);
        let waiting = waits(active.as_ref(), staged.as_ref()).cloned();
        self.forget(STAGED)?;
        Ok(waiting)
    }

    /// The generation that was active before the one that is, if it is still kept.
    #[must_use]
    pub fn before(&self) -> Option<u64> {
        let active = self.pointer(POINTER).ok()?;
        let names = self.list().ok()?;
        let taken = |name: &&Name| self.record(name).is_none_or(|it| it.taken);
        let mut older = names
            .iter()
            .rev()
            .filter(|it| it.number() < active.number());
        older.find(taken).map(Name::number)
    }
}
