//! Which disk is the node's, and what is to be done to it next. Pure: one step at a time, and after each the disk is
//! looked at again, so that a life that ends anywhere is gone on with by the next one.

use std::collections::{BTreeMap, BTreeSet};

use super::guid::Guid;
use super::layout::{self, Fit, Volume, fit};
use super::meta::{Made, Meta, Notes};
use super::table::{Found, Table};

/// A disk as it was just looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The kernel's name of it.
    pub(super) name: String,
    /// Its size.
    pub(super) bytes: u64,
    /// Somebody holds it or one of its partitions: it is mounted, or part of another device.
    pub(super) held: bool,
    /// What its ends say of partitions.
    pub(super) found: Found,
    /// The kernel has the partitions of that table, if there is one.
    pub(super) known: bool,
    /// The first end holds nothing at all.
    pub(super) head_is_blank: bool,
    /// The notes at their place.
    pub(super) notes: Notes,
    /// Where there is a file system.
    pub(super) file_systems: BTreeSet<Volume>,
}

/// What a disk is to this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// Nothing stands there.
    Blank,
    /// A former life began to partition it, or we just did.
    Begun,
    /// Somebody else's.
    Other(&'a str),
    /// The node's.
    Ours {
        table: &'a Table,
        sound: bool,
        fit: Fit,
    },
}

impl Seen {
    pub(super) fn content(&self) -> Content<'_> {
        match &self.found {
            // What was begun leaves the first end blank until the other one is written: anything else there is not ours.
            _ if self.begun().is_some() && self.head_is_blank => Content::Begun,
            Found::Blank => Content::Blank,
            Found::Other(what) => Content::Other(what),
            Found::Table { table, sound } => match fit(table, self.bytes) {
                Fit::Foreign => Content::Other("partitions"),
                fit => Content::Ours {
                    table,
                    sound: *sound,
                    fit,
                },
            },
        }
    }

    /// The notes of a partitioning that has not come to its end.
    fn begun(&self) -> Option<&Meta> {
        match &self.notes {
            Notes::Noted(_, meta) if !meta.partitioned => Some(meta),
            _ => None,
        }
    }

    /// The notes about a table of ours; those of another disk mean nothing here.
    pub(super) fn meta(&self, table: &Table) -> Option<&Meta> {
        match &self.notes {
            Notes::Noted(_, meta) if meta.disk == table.disk => Some(meta),
            _ => None,
        }
    }

    /// It has the node's partitions, and something in them: after a reset they are empty, and bind nobody.
    pub(super) fn holds_a_node(&self) -> bool {
        match self.content() {
            Content::Ours { table, .. } => self.meta(table).is_none_or(|it| !it.volumes.is_empty()),
            _ => false,
        }
    }
}

/// What the config wants of disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The kernel's names of the disks that its selector fits.
    pub(super) fitting: Vec<String>,
    /// What stands there may go.
    pub(super) wipe: bool,
}

/// Which disk is the node's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// This one; with whether file systems may be made on it.
    Disk(&'a Seen, bool),
    /// None, for now or for good; for a person.
    None(String),
}

/// Chooses among the disks that can be written; `list` names all of them for a person.
pub(super) fn choose<'a>(seen: &'a [Seen], wanted: Option<&Wanted>, list: &str) -> Choice<'a> {
    let ours: Vec<&Seen> = seen.iter().filter(|it| it.holds_a_node()).collect();
    match (ours.as_slice(), wanted) {
        ([disk], wanted) => {
            let chosen = wanted.is_some_and(|it| it.fitting == [disk.name.as_str()]);
            Choice::Disk(disk, chosen)
        }
        ([_, _, ..], _) => {
            let names: Vec<_> = ours.iter().map(|it| it.name.as_str()).collect();
            Choice::None(format!(
                "{} each carry the partitions of a node, so it is not known which one counts; take one of them out, or \
                 wipe it with `osctl wipe`",
                names.join(" and ")
            ))
        }
        ([], None) => Choice::None(
            "no disk holds the node's data; a SystemDisk document in its config says which one is to".to_owned(),
        ),
        ([], Some(wanted)) => take(seen, wanted, list),
    }
}

fn take<'a>(seen: &'a [Seen], wanted: &Wanted, list: &str) -> Choice<'a> {
    let [name] = wanted.fitting.as_slice() else {
        return Choice::None(misfit(&wanted.fitting, list));
    };
    let Some(disk) = seen.iter().find(|it| it.name == *name) else {
        return Choice::None(format!("{name} cannot be read, or not written"));
    };
    if disk.held && !matches!(disk.content(), Content::Ours { .. }) {
        return Choice::None(format!(
            "{name} is in use: the node was started from it, it is part of another device, or images on it are mounted (`osctl get mounts`)"
        ));
    }
    if disk.bytes < layout::least() {
        return Choice::None(format!(
            "{name} has {}, and a system disk needs {}",
            mebibytes(disk.bytes),
            mebibytes(layout::least())
        ));
    }
    match disk.content() {
        Content::Other(what) if !wanted.wipe => Choice::None(format!(
            "{name} holds {what}, which is left alone; `wipe: true` in the SystemDisk document gives it to the node all \
             the same"
        )),
        _ => Choice::Disk(disk, true),
    }
}

/// Why a selector names no disk.
pub(super) fn misfit(fitting: &[String], list: &str) -> String {
    if fitting.is_empty() {
        format!("the selector of SystemDisk fits none of the disks; there are: {list}")
    } else {
        let fitting = fitting.join(", ");
        format!("the selector of SystemDisk fits several disks ({fitting}); there are: {list}")
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / layout::MIB)
}

/// What this life of the daemon has done and found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Life {
    /// File systems that it made.
    pub(super) made: BTreeSet<Volume>,
    /// File systems that it emptied.
    pub(super) emptied: BTreeSet<Volume>,
    /// File systems that were checked: what was mended, or why they cannot be used.
    pub(super) checked: BTreeMap<Volume, Result<String, String>>,
    /// Mounted ones, whoever did it.
    pub(super) mounted: BTreeSet<Volume>,
    /// Mounted ones that cannot be written any more, since their disk failed.
    pub(super) stopped: BTreeSet<Volume>,
    /// Those that have the size of their partition.
    pub(super) grown: BTreeSet<Volume>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write this down.
    Note(Meta),
    /// Overwrite both ends of the disk with zeros.
    Clear,
    /// Write this table, and have the kernel take it.
    Partition(Table),
    /// Have the kernel take the table that is there: who wrote it was killed before.
    Announce(Table),
    /// Overwrite where a file system begins.
    Empty(Volume),
    /// Make a file system.
    Make(Volume),
    /// Check one.
    Check(Volume),
    /// Mount one.
    Mount(Volume),
    /// Give a mounted one the size of its partition.
    Grow(Volume),
}

/// The next step on the chosen disk, `None` when it is as it should be or nothing more can be done; `make` says whether
/// new file systems may be made there.
pub(super) fn next(
    disk: &Seen,
    make: bool,
    life: &Life,
    mut guid: impl FnMut() -> Guid,
) -> Option<Step> {
    match disk.content() {
        Content::Ours {
            fit: Fit::Larger, ..
        } => None,
        Content::Ours {
            fit: Fit::Grows(table),
            ..
        } => Some(Step::Partition(table)),
        Content::Ours {
            table,
            sound: false,
            ..
        } => Some(Step::Partition(table.clone())),
        Content::Ours { table, .. } if !disk.known => Some(Step::Announce(table.clone())),
        Content::Ours { table, .. } => on_ours(disk, table, make, life),
        _ if !make => None,
        content => match (disk.begun(), content) {
            (None, _) => Some(Step::Note(Meta {
                disk: guid(),
                ..Meta::default()
            })),
            (Some(_), Content::Other(_)) => Some(Step::Clear),
            (Some(meta), _) => layout::table(disk.bytes, meta.disk, guid).map(Step::Partition),
        },
    }
}

fn on_ours(disk: &Seen, table: &Table, make: bool, life: &Life) -> Option<Step> {
    let Some(meta) = disk.meta(table) else {
        // The notes are lost. What looks like a file system is one, and nothing else was ever begun.
        let whole = disk.file_systems.iter().map(|it| (*it, Made::Whole));
        return Some(Step::Note(Meta {
            disk: table.disk,
            partitioned: true,
            volumes: whole.collect(),
            ..Meta::default()
        }));
    };
    let note = |change: &dyn Fn(&mut Meta)| {
        let mut meta = meta.clone();
        change(&mut meta);
        Some(Step::Note(meta))
    };
    if !meta.partitioned {
        return note(&|it| it.partitioned = true);
    }
    if meta.reset && life.mounted.is_empty() {
        let left = Volume::MOUNTED
            .into_iter()
            .find(|it| !life.emptied.contains(it));
        return match left {
            Some(volume) => Some(Step::Empty(volume)),
            None => note(&|it| {
                it.reset = false;
                it.volumes.retain(|it, _| !Volume::MOUNTED.contains(it));
            }),
        };
    }
    Volume::MOUNTED
        .into_iter()
        .find_map(|volume| match meta.volumes.get(&volume) {
            None if make => note(&|it| {
                it.volumes.insert(volume, Made::Begun);
            }),
            Some(Made::Begun) if life.made.contains(&volume) => note(&|it| {
                it.volumes.insert(volume, Made::Whole);
            }),
            Some(Made::Begun) if make => Some(Step::Make(volume)),
            Some(Made::Whole) => use_it(volume, life),
            None | Some(Made::Begun) => None,
        })
}

fn use_it(volume: Volume, life: &Life) -> Option<Step> {
    if !life.mounted.contains(&volume) {
        return match life.checked.get(&volume) {
            None => Some(Step::Check(volume)),
            Some(Ok(_)) => Some(Step::Mount(volume)),
            Some(Err(_)) => None,
        };
    }
    let done = life.grown.contains(&volume) || life.stopped.contains(&volume);
    (!done).then_some(Step::Grow(volume))
}

#[cfg(test)]
mod tests;
