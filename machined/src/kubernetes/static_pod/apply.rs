//! Writes the pods into the folder that the kubelet watches.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::StaticPod;
use resources::runtime::Condition;

use crate::network::file;

/// What the files of pods end in.
const ENDING: &str = ".json";

/// The controller.
#[derive(Debug)]
pub struct Apply {
    folder: PathBuf,
}

cosi::declare! {
    Apply as "kubernetes.static-pod.apply" {
        reads StaticPod;
        reads Condition;
    }
}

impl Apply {
    /// Writes to this folder, which it makes.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The files that are there.
    fn there(&self) -> io::Result<BTreeSet<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(error),
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }
}

/// What is done about a folder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan<'a> {
    /// Files and what they hold.
    write: BTreeMap<String, &'a str>,
    /// Files that nobody wants any more.
    remove: BTreeSet<String>,
}

/// A pod that somebody wants.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    name: &'a str,
    manifest: &'a str,
    /// Whether it may begin.
    begins: bool,
}

/// A pod ends with its file: as long as it is not certain what is wanted, none is taken away. One that may not begin yet goes on
/// when it runs.
fn plan<'a>(
    wanted: impl IntoIterator<Item = Wanted<'a>>,
    there: BTreeSet<String>,
    deletions_allowed: bool,
) -> Plan<'a> {
    let files = wanted.into_iter();
    let write: BTreeMap<_, _> = files
        .map(|pod| (format!("{}{ENDING}", pod.name), pod))
        .filter(|(file, pod)| pod.begins || there.contains(file))
        .map(|(file, pod)| (file, pod.manifest))
        .collect();
    let mut remove = there;
    remove.retain(|name| deletions_allowed && name.ends_with(ENDING) && !write.contains_key(name));
    Plan { write, remove }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let pods = cx.list::<StaticPod>();
        if pods.is_empty() && !self.folder.exists() {
            return Ok(Outcome::Done);
        }
        fs::create_dir_all(&self.folder)?;
        let met = |condition: &str| {
            let known = cx.get::<Condition>(condition);
            known.is_some_and(|it| it.spec.met)
        };
        let wanted = pods.iter().map(|pod| Wanted {
            name: pod.id(),
            manifest: &pod.spec.manifest,
            begins: pod.spec.condition.is_empty() || met(&pod.spec.condition),
        });
        let Plan { write, remove } = plan(wanted, self.there()?, cx.deletions_allowed());
        for (name, manifest) in write {
            file::replace(&self.folder.join(name), manifest)?;
        }
        for name in remove {
            fs::remove_file(self.folder.join(name))?;
        }
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
        names.map(str::to_owned).into()
    }

    fn pod(name: &str) -> Wanted<'_> {
        Wanted {
            name,
            manifest: "{}",
            begins: true,
        }
    }

    #[test]
    fn pods_end_only_once_it_is_certain_that_nobody_wants_them() {
        let there = || names(["a.json", "b.json", ".b.json.unfinished"]);
        let wanted = || [pod("b"), pod("c")];
        let early = plan(wanted(), there(), false);
        assert_eq!(early.remove, names([]));
        let sure = plan(wanted(), there(), true);
        assert_eq!(sure.remove, names(["a.json"]));
        assert!(sure.write.keys().eq(["b.json", "c.json"]));
        assert_eq!(plan([], there(), true).remove, names(["a.json", "b.json"]));
    }

    #[test]
    fn a_pod_that_waits_does_not_begin_and_does_not_end() {
        let waits = Wanted {
            begins: false,
            ..pod("a")
        };
        assert_eq!(plan([waits], names([]), true), Plan::default());
        let runs = plan([waits], names(["a.json"]), true);
        assert!(runs.write.contains_key("a.json") && runs.remove.is_empty());
    }
}
