//! What an operator may do to disks by hand: empty the node's own, make another one blank, and ask which one a config
//! would give the node.

use std::collections::BTreeMap;

use resources::block::{Disk, SystemDiskSpec};
use thiserror::Error;

use super::candidates::{describe, fitting, list};
use super::device::HostError;
use super::keeper::Keeper;
use super::plan::{Choice, Content, Seen, Step, choose};

/// Why an order was not carried out; nothing was changed.
#[derive(Debug, Error)]
pub enum RefusedError {
    /// There is nothing to empty where the caller says there is.
    #[error(
        "the node keeps nothing on a disk, so there is none to name; a reboot alone forgets its config"
    )]
    NoDisk,
    /// The caller has not said what is emptied.
    #[error("a reset empties STATE and EPHEMERAL of {0}; name that disk to go on")]
    Unnamed(String),
    /// The caller says something else than would be emptied.
    #[error("`{named}` is not the node's disk; that is {disk}")]
    Other {
        /// What was said.
        named: String,
        /// What would be emptied.
        disk: String,
    },
    /// No such disk.
    #[error("there is no disk `{named}`; there are: {list}")]
    Unknown {
        /// What was said.
        named: String,
        /// The disks.
        list: String,
    },
    /// Several disks have this serial number.
    #[error("several disks are called `{0}`; use the kernel's name")]
    Ambiguous(String),
    /// The node stands on it.
    #[error("{0} is the node's own disk; `osctl reset` empties it")]
    Own(String),
    /// Somebody uses it.
    #[error(
        "{0} is in use: the node was started from it, it is part of another device, or images on it are mounted (`osctl get mounts`)"
    )]
    Held(String),
    /// It cannot be done.
    #[error(transparent)]
    Host(#[from] FailedError),
}

/// The disk did not do what was asked.
#[derive(Debug, Error)]
#[error("{disk}")]
pub struct FailedError {
    disk: String,
    #[source]
    source: HostError,
}

/// What an order is or would be about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The kernel's name; empty for a node without a disk of its own.
    pub name: String,
    /// For a person.
    pub description: String,
}

type Disks = BTreeMap<String, Disk>;

impl Keeper {
    /// Looks which disk the node would have with this in its config: a warning when it is another one than it says, and an
    /// error why there is none.
    pub(super) fn would_use(
        &self,
        disks: &Disks,
        spec: &SystemDiskSpec,
    ) -> Result<Option<String>, String> {
        let wanted = fitting(spec, disks).map_err(|error| error.to_string())?;
        let (seen, _) = self.look(disks);
        match choose(&seen, Some(&wanted), &list(disks)) {
            Choice::Disk(_, true) => Ok(None),
            Choice::Disk(own, false) => Ok(Some(format!(
                "the node's data is on {}, which the selector of SystemDisk does not fit, and stays there; a node changes its \
                 disk by `osctl reset` alone",
                own.name
            ))),
            Choice::None(reason) => Err(reason),
        }
    }

    /// Notes that the node's disk is to be emptied at the next start, before anything of it is mounted; `Target` is empty
    /// on a node that keeps nothing on a disk.
    pub(super) fn reset(
        &self,
        disks: &Disks,
        named: &str,
        dry_run: bool,
    ) -> Result<Target, RefusedError> {
        let (seen, _) = self.look(disks);
        let own: Vec<&Seen> = seen.iter().filter(|it| it.holds_a_node()).collect();
        if own.is_empty() {
            return match named {
                "" => Ok(Target::default()),
                _ => Err(RefusedError::NoDisk),
            };
        }
        let told = |it: &&Seen| disks.get(&it.name).map(|disk| describe(&it.name, disk));
        let all: Vec<String> = own.iter().filter_map(told).collect();
        let all = all.join(" or ");
        let is_meant = |it: &&&Seen| {
            disks
                .get(&it.name)
                .is_some_and(|disk| is_called(&it.name, disk, named))
        };
        let meant: Vec<_> = own.iter().filter(is_meant).collect();
        let seen = match (meant.as_slice(), own.as_slice()) {
            ([one], _) => *one,
            ([], [one]) if named.is_empty() && dry_run => one,
            ([], _) if named.is_empty() => return Err(RefusedError::Unnamed(all)),
            ([], _) => {
                let named = named.to_owned();
                return Err(RefusedError::Other { named, disk: all });
            }
            _ => return Err(RefusedError::Ambiguous(named.to_owned())),
        };
        let target = Target {
            name: seen.name.clone(),
            description: told(seen).unwrap_or_default(),
        };
        let Some(disk) = disks.get(&seen.name).filter(|_| !dry_run) else {
            return Ok(target);
        };
        if let Content::Ours { table, .. } = seen.content() {
            let mut meta = seen.meta(table).cloned().unwrap_or_default();
            meta.disk = table.disk;
            meta.partitioned = true;
            meta.reset = true;
            self.host()
                .take(&Step::Note(meta), disk, seen)
                .map_err(failed(&seen.name))?;
        }
        Ok(target)
    }

    /// Makes a disk blank.
    pub(super) fn wipe(
        &self,
        disks: &Disks,
        named: &str,
        dry_run: bool,
    ) -> Result<Target, RefusedError> {
        let meant: Vec<_> = disks
            .iter()
            .filter(|(name, disk)| is_called(name, disk, named))
            .collect();
        let (name, disk) = match meant.as_slice() {
            [one] => *one,
            [] => {
                return Err(RefusedError::Unknown {
                    named: named.to_owned(),
                    list: list(disks),
                });
            }
            _ => return Err(RefusedError::Ambiguous(named.to_owned())),
        };
        let seen = self.host().look(name, disk).map_err(failed(name))?;
        if seen.held {
            return Err(if seen.holds_a_node() {
                RefusedError::Own(name.clone())
            } else {
                RefusedError::Held(name.clone())
            });
        }
        if !dry_run {
            self.host().wipe(disk, &seen).map_err(failed(name))?;
        }
        Ok(Target {
            name: name.clone(),
            description: describe(name, disk),
        })
    }
}

fn failed(disk: &str) -> impl FnOnce(HostError) -> FailedError {
    |source| FailedError {
        disk: disk.to_owned(),
        source,
    }
}

/// Whether somebody means this disk: by the kernel's name, its path or its serial number.
fn is_called(name: &str, disk: &Disk, named: &str) -> bool {
    !named.is_empty() && [name, &disk.path, &disk.serial].contains(&named)
}
