//! The steps that changes are made of: each is whole or not at all, whatever happens between two of them.

use std::io;

use super::{
    CLEARED, Choice, Effect, Files, Generation, Generations, KEEP, Mode, Moment, Name, POINTER,
    PROVEN, Pending, Record, STAGED, SaveError, TRYING, UNFINISHED, choose, order,
};
use crate::config::generation::NameError;

impl<F: Files> Generations<F> {
    /// Stores what is known of a text and the text, then points to it as its effect asks for.
    pub(super) fn keep(
        &mut self,
        at_least: u64,
        text: &str,
        record: Option<&Record>,
        effect: &Effect,
        boot: &str,
    ) -> Result<Name, SaveError> {
        if self.is_cleared() {
            self.clear()?;
        }
        let names = self.names().map_err(SaveError::List)?;
        let pointer = self.pointer(POINTER).ok();
        if let Some(name) = pointer
            .clone()
            .filter(|it| it.proves(text.as_bytes()) && self.read(it).is_ok())
        {
            self.forget(TRYING)?;
            self.forget(STAGED)?;
            // Whoever pointed to it may have been killed before that was sure to stay.
            return self.sync(POINTER).map(|()| name);
        }
        let pending = [TRYING, STAGED].map(|file| self.pending(file));
        let pending = pending.iter().flatten().map(|it| &it.name);
        let number = order::next(names.iter().chain(&pointer).chain(pending), at_least);
        let name = Name::new(number, text);
        // First what says that it has not been the active one.
        if let Some(record) = record {
            self.store(&name.record(), &record.to_bytes())?;
        }
        self.store(&name.to_string(), text.as_bytes())?;
        self.point(&name, effect, boot)?;
        self.tidy();
        Ok(name)
    }

    /// Lets a stored generation take effect, and ends what was tried or staged before it.
    fn point(&mut self, name: &Name, effect: &Effect, boot: &str) -> Result<(), SaveError> {
        let until = match effect {
            Effect::Now => {
                self.store(POINTER, format!("{name}\n").as_bytes())?;
                // Older than the active one, so they mean nothing any more.
                self.forget(TRYING)?;
                return self.forget(STAGED);
            }
            Effect::NextBoot => None,
            Effect::Until(until) => Some(*until),
        };
        let file = if until.is_some() { TRYING } else { STAGED };
        let pending = Pending {
            name: name.clone(),
            boot: boot.to_owned(),
            until,
        };
        self.store(file, pending.to_string().as_bytes())?;
        if until.is_some() {
            return self.forget(STAGED);
        }
        Ok(())
    }

    /// Puts a generation of another folder on trial here, under its own number if that was not given yet; one that is on
    /// trial already stays there.
    pub(in crate::config) fn adopt_trial(
        &mut self,
        generation: &Generation,
        pending: &Pending,
    ) -> Result<(), SaveError> {
        let same = |here: Pending| {
            let text = here.name.hash() == generation.name.hash();
            text && here.boot == pending.boot && here.until == pending.until
        };
        if self.pending(TRYING).is_some_and(same) {
            return self.forget(STAGED);
        }
        let effect = match pending.until {
            Some(until) => Effect::Until(until),
            None => Effect::NextBoot,
        };
        let (number, text) = (generation.name.number(), &generation.text);
        let known = generation.record.clone();
        let record = Record {
            time: known.as_ref().map(|it| it.time).unwrap_or_default(),
            by: known.map(|it| it.by).unwrap_or_default(),
            mode: Mode::Try,
            taken: false,
        };
        self.keep(number, text, Some(&record), &effect, &pending.boot)
            .map(drop)
    }

    /// Makes a kept generation the active one, and remembers that it has been.
    pub(super) fn take(&mut self, name: &Name) -> Result<(), SaveError> {
        if let Some(record) = self.record(name).filter(|it| !it.taken) {
            let record = Record {
                taken: true,
                ..record
            };
            self.store(&name.record(), &record.to_bytes())?;
        }
        self.store(POINTER, format!("{name}\n").as_bytes())
    }

    /// Removes everything: all of it at once, by a mark that goes last.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&mut self) -> Result<(), SaveError> {
        if self.files.names().map_err(SaveError::List)?.is_empty() {
            return Ok(());
        }
        self.store(CLEARED, b"")?;
        let mut names = self.files.names().map_err(SaveError::List)?;
        names.retain(|name| name != CLEARED);
        names.iter().try_for_each(|name| self.remove(name))?;
        self.remove(CLEARED)
    }

    /// Whether what is still here is to be removed, and counts as gone.
    pub(super) fn is_cleared(&self) -> bool {
        self.files.read(CLEARED).is_ok()
    }

    /// Removes what is too old. The apply is done already, so a failure only costs space until
    /// the next one.
    fn tidy(&mut self) {
        let Ok(names) = self.names() else { return };
        let Ok(active) = self.pointer(POINTER) else {
            return;
        };
        let pending = [TRYING, STAGED].map(|file| self.pending(file).map(|it| it.name));
        let mut needed: Vec<Name> = pending.into_iter().flatten().collect();
        needed.extend(self.pointer(PROVEN));
        let mut old = order::to_remove(&active, names.clone(), KEEP);
        old.retain(|name| !needed.contains(name));
        let kept = |file: &String| {
            let mut names = names.iter().filter(|it| !old.contains(it));
            names.any(|it| *file == it.record() || *file == it.to_string())
        };
        let Ok(mut files) = self.files.names() else {
            return;
        };
        // Records too that lost their texts to a kill.
        files.retain(|file| is_of_a_generation(file) && !kept(file));
        files.sort_by_key(|file| is_record(file));
        for file in files {
            if let Err(error) = self.remove(&file) {
                tracing::warn!("an old config: {}", cosi::report(&error));
            }
        }
    }

    /// Which generation is to run now.
    pub(super) fn choice(&self, now: &Moment) -> Choice {
        if self.is_cleared() {
            return Choice::Active;
        }
        let active = self.pointer(POINTER).ok();
        let [tried, staged] = [TRYING, STAGED].map(|file| self.pending(file));
        choose(active.as_ref(), tried.as_ref(), staged.as_ref(), now)
    }

    /// Makes a file whole, then gives it its name, both to stay.
    pub(super) fn store(&mut self, name: &str, bytes: &[u8]) -> Result<(), SaveError> {
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

    /// Makes the names stay, for the sake of that file.
    fn sync(&mut self, name: &str) -> Result<(), SaveError> {
        self.files.sync().map_err(|source| SaveError::Store {
            name: name.to_owned(),
            source,
        })
    }

    /// Removes a file for good, if it is there.
    pub(super) fn forget(&mut self, name: &str) -> Result<(), SaveError> {
        if self.files.read(name).is_err() {
            return Ok(());
        }
        self.remove(name)?;
        self.sync(name)
    }

    fn remove(&mut self, name: &str) -> Result<(), SaveError> {
        self.files.remove(name).map_err(|source| SaveError::Remove {
            name: name.to_owned(),
            source,
        })
    }

    pub(super) fn names(&self) -> io::Result<Vec<Name>> {
        if self.is_cleared() {
            return Ok(Vec::new());
        }
        let mut names: Vec<Name> = self
            .files
            .names()?
            .iter()
            .filter_map(|it| it.parse().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    pub(super) fn pointer(&self, file: &str) -> Result<Name, String> {
        let bytes = self.files.read(file).map_err(|it| it.to_string())?;
        String::from_utf8_lossy(&bytes)
            .trim_end()
            .parse()
            .map_err(|it: NameError| it.to_string())
    }

    /// What a file of something pending says; a damaged one as good as none.
    pub(in crate::config) fn pending(&self, file: &str) -> Option<Pending> {
        let bytes = self.files.read(file).ok()?;
        String::from_utf8_lossy(&bytes).parse().ok()
    }

    /// What is known of a generation.
    pub(super) fn record(&self, name: &Name) -> Option<Record> {
        Record::from_bytes(&self.files.read(&name.record()).ok()?)
    }

    pub(super) fn read(&self, name: &Name) -> Result<Generation, String> {
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
            record: self.record(name),
        })
    }
}

/// A text without what is known of it would pass for one that has been active, so it goes first.
fn is_record(file: &str) -> bool {
    file.ends_with(".json")
}

/// Whether a file is the text of a generation, or what is known of one.
fn is_of_a_generation(file: &str) -> bool {
    let text = file.strip_suffix(".json").map(|it| format!("{it}.yaml"));
    text.as_deref().unwrap_or(file).parse::<Name>().is_ok()
}
