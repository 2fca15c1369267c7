//! A folder on a disk that loses power: it drops, tears and reorders whatever was not synced.
//!
//! Worse than any file system is: of the changes to names since the last sync each may be lost alone, whatever came after
//! it; a content that was not synced is cut off at any byte, or zeros from there on.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use crate::config::files::Files;

/// The folder. Clones are the same one.
#[derive(Clone, Default)]
pub(in crate::config) struct Memory(Rc<RefCell<Inner>>);

#[derive(Clone, Default)]
struct Inner {
    contents: Vec<Content>,
    names: BTreeMap<String, usize>,
    /// The names at the last sync.
    synced: BTreeMap<String, usize>,
    /// What was done to names since.
    changes: Vec<Change>,
    /// How many more steps there is power for.
    power: Option<usize>,
    /// Does not sync contents: to see that the tests would notice.
    negligent: bool,
}

#[derive(Clone)]
struct Content {
    bytes: Vec<u8>,
    synced: bool,
}

/// What is done to names in one step.
#[derive(Clone)]
struct Change {
    gone: Option<String>,
    there: Option<(String, usize)>,
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, content)) = &self.there {
            names.insert(name.clone(), *content);
        }
    }
}

/// Decides what a power cut does.
pub(in crate::config) struct Chance(std::iter::Cycle<std::vec::IntoIter<u8>>);

impl Chance {
    pub(in crate::config) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into_iter().cycle())
    }

    fn next(&mut self) -> u8 {
        self.0.next().unwrap_or_default()
    }

    fn below(&mut self, limit: usize) -> usize {
        let number = usize::from(self.next()) << 8 | usize::from(self.next());
        number % limit
    }
}

impl Memory {
    pub(super) fn negligent() -> Self {
        let memory = Self::default();
        memory.0.borrow_mut().negligent = true;
        memory
    }

    pub(super) fn damage(&self, name: &str, bytes: &[u8]) {
        let mut inner = self.0.borrow_mut();
        if let Some(content) = inner.names.get(name).copied() {
            inner.contents[content].bytes = bytes.to_vec();
        }
    }

    /// Leaves power for that many steps.
    pub(in crate::config) fn power(&self, steps: usize) {
        self.0.borrow_mut().power = Some(steps);
    }

    /// Another folder of the same content, as the next life of a killed process finds it.
    pub(in crate::config) fn after_kill(&self) -> Self {
        let mut inner = self.0.borrow().clone();
        inner.power = None;
        Self(Rc::new(RefCell::new(inner)))
    }

    /// What a reader finds when the power is back.
    pub(in crate::config) fn after_power_cut(&self, chance: &mut Chance) -> Self {
        let mut inner = self.0.borrow().clone();
        for change in std::mem::take(&mut inner.changes) {
            if chance.next().is_multiple_of(2) {
                change.apply(&mut inner.synced);
            }
        }
        inner.names = inner.synced.clone();
        for content in inner.contents.iter_mut().filter(|it| !it.synced) {
            let length = content.bytes.len();
            content.bytes.truncate(chance.below(length + 1));
            if chance.next().is_multiple_of(2) {
                content.bytes.resize(length, 0);
            }
            content.synced = true;
        }
        inner.power = None;
        Self(Rc::new(RefCell::new(inner)))
    }

    /// One step, if there is power for it.
    fn step(&self) -> io::Result<RefMut<'_, Inner>> {
        let mut inner = self.0.borrow_mut();
        match &mut inner.power {
            Some(0) => return Err(io::Error::other("no power")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(inner)
    }

    fn change(&self, gone: Option<&str>, there: Option<(&str, usize)>) -> io::Result<()> {
        let mut inner = self.step()?;
        let change = Change {
            gone: gone.map(str::to_owned),
            there: there.map(|(name, content)| (name.to_owned(), content)),
        };
        change.apply(&mut inner.names);
        inner.changes.push(change);
        Ok(())
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        let found = self.0.borrow().names.get(name).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Files for Memory {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let content = self.find(name)?;
        Ok(self.0.borrow().contents[content].bytes.clone())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let content = match self.find(name) {
            Ok(content) => content,
            Err(_) => {
                let mut inner = self.step()?;
                inner.contents.push(Content {
                    bytes: Vec::new(),
                    synced: false,
                });
                let content = inner.contents.len() - 1;
                drop(inner);
                self.change(None, Some((name, content)))?;
                content
            }
        };
        {
            let mut inner = self.step()?;
            inner.contents[content].bytes = bytes.to_vec();
            inner.contents[content].synced = false;
        }
        let mut inner = self.step()?;
        let negligent = inner.negligent;
        inner.contents[content].synced = !negligent;
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let content = self.find(from)?;
        self.change(Some(from), Some((to, content)))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.find(name)?;
        self.change(Some(name), None)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.step()?;
        inner.synced = inner.names.clone();
        inner.changes.clear();
        Ok(())
    }
}
