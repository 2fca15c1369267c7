//! Generations against damage and power cuts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::super::files::Disk;
use super::*;

pub(in crate::config) fn text(name: &str) -> String {
    format!("apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: {name}\n")
}

pub(in crate::config) fn active(generations: &Generations<impl Files>) -> Option<String> {
    let loaded = generations.load().unwrap();
    loaded
        .active
        .map(|it| it.documents.hostname().unwrap().hostname.to_string())
}

#[test]
fn what_is_saved_is_loaded_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = Generations::new(Disk::open(&folder.path().join("config")).unwrap());
    assert_eq!(active(&generations), None);
    assert!(generations.load().unwrap().passed_over.is_empty());
    for number in 1..=15 {
        let saved = generations
            .save("s", text(&format!("n{number}")).as_bytes())
            .unwrap();
        assert_eq!(saved.name.number(), number);
        assert_eq!(active(&generations), Some(format!("n{number}")));
    }
    let numbers: Vec<u64> = generations
        .list()
        .unwrap()
        .iter()
        .map(Name::number)
        .collect();
    assert_eq!(numbers, (6..=15).collect::<Vec<u64>>());
    let same = generations.save("s", text("n15").as_bytes()).unwrap();
    assert_eq!(same.name.number(), 15);
}

#[test]
fn a_wrong_config_changes_nothing() {
    let mut generations = Generations::new(Memory::default());
    generations.save("s", text("a").as_bytes()).unwrap();
    let error = generations.save("s", text("A").as_bytes()).unwrap_err();
    assert!(matches!(error, SaveError::Refused(_)));
    assert_eq!(active(&generations), Some("a".to_owned()));
    assert_eq!(generations.list().unwrap().len(), 1);
}

#[test]
fn damage_falls_back_with_a_reason() {
    let files = Memory::default();
    let mut generations = Generations::new(files.clone());
    let first = generations
        .save("s", text("a").as_bytes())
        .unwrap()
        .name
        .to_string();
    let second = generations
        .save("s", text("b").as_bytes())
        .unwrap()
        .name
        .to_string();
    files.damage(&second, b"half");
    let loaded = generations.load().unwrap();
    assert_eq!(loaded.active.unwrap().name.to_string(), first);
    assert_eq!(loaded.passed_over.len(), 1);
    assert_eq!(loaded.passed_over[0].name, second);
    files.damage(POINTER, b"");
    assert_eq!(active(&generations), Some("a".to_owned()));
    assert_eq!(generations.load().unwrap().passed_over.len(), 2);
    // The number of the damaged one is not used again.
    assert_eq!(
        generations
            .save("s", text("c").as_bytes())
            .unwrap()
            .name
            .number(),
        3
    );
    files.damage(&first, b"");
    files.damage(&generations.list().unwrap()[2].to_string(), b"");
    let loaded = generations.load().unwrap();
    assert!(loaded.active.is_none());
    assert_eq!(loaded.passed_over.len(), 3);
}

fn tried(generations: &mut Generations<impl Files>) -> Option<u64> {
    generations.try_proven().map(|it| it.name.number())
}

#[test]
fn safe_mode_tries_what_ran_long_enough_and_that_once() {
    let mut generations = Generations::new(Memory::default());
    let good = generations.save("s", text("good").as_bytes()).unwrap().name;
    assert_eq!(tried(&mut generations), None, "nothing is proven yet");
    generations.prove(&good).unwrap();
    assert_eq!(
        tried(&mut generations),
        None,
        "it is the one that did not stay up"
    );

    generations.save("s", text("bad").as_bytes()).unwrap();
    assert_eq!(tried(&mut generations), Some(1));
    assert_eq!(tried(&mut generations), None, "it did not stay up either");
    generations.prove(&good).unwrap();
    assert_eq!(tried(&mut generations), Some(1), "it ran long enough again");
    generations.forget_trial().unwrap();
    assert_eq!(
        tried(&mut generations),
        Some(1),
        "safe mode was left in between"
    );
    generations.forget_trial().unwrap();

    for number in 0..2 * KEEP {
        generations
            .save("s", text(&format!("n{number}")).as_bytes())
            .unwrap();
    }
    assert_eq!(tried(&mut generations), Some(1), "it is kept however old");
    assert_eq!(generations.list().unwrap().len(), KEEP + 1);
}

/// A folder in memory that loses power: contents count once written, names once synced.
#[derive(Clone, Default)]
pub(in crate::config) struct Memory(Rc<RefCell<Inner>>);

#[derive(Clone, Default)]
struct Inner {
    contents: Vec<Vec<u8>>,
    names: BTreeMap<String, usize>,
    /// The folder at the last sync and after every change since.
    history: Vec<BTreeMap<String, usize>>,
    /// How many more steps there is power for.
    power: Option<usize>,
}

impl Memory {
    fn damage(&self, name: &str, bytes: &[u8]) {
        let mut inner = self.0.borrow_mut();
        let content = inner.names[name];
        inner.contents[content] = bytes.to_vec();
    }

    /// Leaves power for that many steps.
    pub(in crate::config) fn power(&self, steps: usize) {
        self.0.borrow_mut().power = Some(steps);
    }

    /// What the next life of a killed process finds: everything it had done.
    pub(in crate::config) fn after_kill(&self) -> Self {
        let mut inner = self.0.borrow().clone();
        inner.power = None;
        Self(Rc::new(RefCell::new(inner)))
    }

    /// What a reader finds after the power is back: the folder as of one of the moments since the
    /// last sync.
    pub(in crate::config) fn after_power_cut(&self, moment: &prop::sample::Index) -> Self {
        let mut inner = self.0.borrow().clone();
        inner.history.push(inner.names.clone());
        inner.names = moment.get(&inner.history).clone();
        inner.history.clear();
        inner.power = None;
        Self(Rc::new(RefCell::new(inner)))
    }

    /// One step, if there is power for it; the moment before it is remembered.
    fn step(&self) -> io::Result<std::cell::RefMut<'_, Inner>> {
        let mut inner = self.0.borrow_mut();
        match &mut inner.power {
            Some(0) => return Err(io::Error::other("no power")),
            Some(left) => *left -= 1,
            None => {}
        }
        let before = inner.names.clone();
        inner.history.push(before);
        Ok(inner)
    }
}

impl Files for Memory {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let inner = self.0.borrow();
        let content = inner.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(inner.contents[*content].clone())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let torn = self.0.borrow().power == Some(0);
        let mut inner = match self.step() {
            Ok(inner) => inner,
            Err(_) => self.0.borrow_mut(),
        };
        let kept = if torn {
            &bytes[..bytes.len() / 2]
        } else {
            bytes
        };
        inner.contents.push(kept.to_vec());
        let content = inner.contents.len() - 1;
        inner.names.insert(name.to_owned(), content);
        if torn {
            return Err(io::Error::other("no power"));
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.step()?;
        let content = inner.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.step()?
            .names
            .remove(name)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.step()?.history.clear();
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_power_cut_leaves_the_old_config_or_the_new(
        saved in 0usize..14,
        power in 0usize..9,
        moment in any::<prop::sample::Index>(),
    ) {
        let files = Memory::default();
        let mut generations = Generations::new(files.clone());
        for number in 0..saved {
            generations.save("s", text(&format!("old{number}")).as_bytes()).unwrap();
        }
        let old = active(&generations);
        files.power(power);
        let answered = generations.save("s", text("new").as_bytes()).is_ok();
        let files = files.after_power_cut(&moment);
        let mut generations = Generations::new(files);
        let found = active(&generations);
        let new = Some("new".to_owned());
        prop_assert!(found == new || (found == old && !answered), "{found:?}");
        generations.save("s", text("next").as_bytes()).unwrap();
        prop_assert_eq!(active(&generations), Some("next".to_owned()));
    }
}
