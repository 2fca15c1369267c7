//! The keeper of the node's disk: looks, lets the plan say what is next, and does it. It lives on threads that may block.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_lc_rs::rand;
use resources::block::{Disk, VolumePhase, VolumeStatus};

use super::candidates::{is_usable, list};
use super::device::HostError;
use super::guid::Guid;
use super::host::{Host, Mounted};
use super::layout::Volume;
use super::plan::{Choice, Life, Seen, Step, Wanted, choose, next};
use super::status::{self, Standing};
use crate::config::Storage;

/// How long after a failure the step is tried again; a disk that comes, goes or changes is looked at in any case.
const AGAIN: Duration = Duration::from_secs(30);

/// How often mounted volumes are tried: nobody tells when their disk begins to fail.
const LOOK: Duration = Duration::from_secs(30);

/// What is known before a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The disks by the kernel's names.
    pub(super) disks: BTreeMap<String, Disk>,
    /// What the config wants.
    pub(super) wanted: Option<Wanted>,
    /// Every disk that is there now has had the time to show itself.
    pub(super) settled: bool,
}

/// What a turn came to.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) statuses: BTreeMap<String, VolumeStatus>,
    /// Where configs are kept, if that is known now.
    pub(super) storage: Option<Storage>,
    /// When to come again.
    pub(super) again: Option<Duration>,
    /// Nothing is left to do, as far as is known.
    pub(super) rests: bool,
}

/// The keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    host: Host,
    life: Life,
    /// The disk and the step that was announced, done on the next turn if it is still the right one.
    announced: Option<(String, Step)>,
    /// The step that failed, and why.
    failed: Option<(Step, String)>,
    /// The disk that the life is about.
    disk: String,
}

impl Keeper {
    pub(super) fn new(host: Host) -> Self {
        Self {
            host,
            life: Life::default(),
            announced: None,
            failed: None,
            disk: String::new(),
        }
    }

    /// One turn: does what was announced, and announces what is next, so that it is told before it is begun.
    pub(super) fn turn(&mut self, known: &Known) -> Turn {
        let (seen, unreadable) = self.look(&known.disks);
        let list = list(&known.disks);
        let (disk, make) = match choose(&seen, known.wanted.as_ref(), &list) {
            Choice::Disk(disk, make) => (disk, make),
            Choice::None(reason) => {
                let reason =
                    unreadable.map_or(reason.clone(), |error| format!("{reason}; {error}"));
                return self.nowhere(known, &reason);
            }
        };
        let Some(kernels) = known.disks.get(&disk.name) else {
            return self.nowhere(known, "the disk went away");
        };
        self.begin(&disk.name, kernels);
        let step = next(disk, make, &self.life, random);
        let announced = self.announced.take().filter(|(name, _)| *name == disk.name);
        let due = announced.map(|(_, step)| step);
        let (step, again) = match step {
            // Planned anew, with other random identifiers: it is the kind of step that was announced.
            Some(step) if due.as_ref().is_some_and(|it| same_kind(it, &step)) => {
                self.carry_out(&step, kernels, disk);
                let again = if self.failed.is_some() {
                    AGAIN
                } else {
                    Duration::ZERO
                };
                (Some(step), Some(again))
            }
            Some(step) => {
                self.announced = Some((disk.name.clone(), step.clone()));
                let known_bad = self
                    .failed
                    .as_ref()
                    .is_some_and(|(it, _)| same_kind(it, &step));
                let again = if known_bad { AGAIN } else { Duration::ZERO };
                (Some(step), Some(again))
            }
            None => (None, (!self.life.mounted.is_empty()).then_some(LOOK)),
        };
        let statuses = status::of(&Standing {
            disk: kernels,
            seen: disk,
            step: step.as_ref(),
            failed: self.failed.as_ref().map(|(_, reason)| reason.as_str()),
            life: &self.life,
            host: &self.host,
        });
        let storage = self.storage(&statuses, step.is_none() || self.failed.is_some());
        Turn {
            statuses,
            storage,
            again,
            rests: step.is_none(),
        }
    }

    /// When the mounts of the node's disk are what they were in the last turn and can be written, when to ask again: if that
    /// turn came to rest and nothing else has become known since, there is no need for another one, which would read every
    /// disk.
    pub(super) fn is_as_it_was(&mut self, known: &Known) -> Option<Duration> {
        let path = &known.disks.get(&self.disk)?.path;
        let Mounted {
            volumes,
            mut stopped,
        } = self.host.mounted(path).ok()?;
        let going = volumes
            .difference(&stopped)
            .filter(|it| !self.life.stopped.contains(it));
        let failing: Vec<_> = going.copied().filter(|it| !self.host.keeps(*it)).collect();
        stopped.extend(failing);
        let same = volumes == self.life.mounted && stopped.is_subset(&self.life.stopped);
        self.life.stopped.append(&mut stopped);
        same.then_some(LOOK)
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// Looks at every disk that the node could use; the last reason why one could not be read.
    pub(super) fn look(&self, disks: &BTreeMap<String, Disk>) -> (Vec<Seen>, Option<String>) {
        let mut unreadable = None;
        let usable = disks.iter().filter(|(_, it)| is_usable(it));
        let seen = usable.filter_map(|(name, disk)| match self.host.look(name, disk) {
            Ok(seen) => Some(seen),
            Err(error) => {
                unreadable = Some(cosi::report(&error));
                None
            }
        });
        (seen.collect(), unreadable)
    }

    /// Takes up the life of the chosen disk. What a life has found out of one disk says nothing of another.
    fn begin(&mut self, name: &str, disk: &Disk) {
        if self.disk != name {
            name.clone_into(&mut self.disk);
            self.life = Life::default();
            self.failed = None;
        }
        match self.host.mounted(&disk.path) {
            Ok(Mounted { volumes, stopped }) => {
                self.life.mounted = volumes;
                // A disk that failed once is not trusted again by the same life.
                self.life.stopped.extend(stopped);
            }
            Err(error) => tracing::error!("{}", cosi::report(&error)),
        }
        // What is mounted was checked and grown, by this life or one before it, which may have died right after.
        let mounted: BTreeSet<Volume> = self.life.mounted.clone();
        for volume in mounted {
            if let Err(error) = self.host.furnish(volume) {
                tracing::error!("{}", cosi::report(&error));
            }
            self.life
                .checked
                .entry(volume)
                .or_insert_with(|| Ok(String::new()));
        }
    }

    fn carry_out(&mut self, step: &Step, disk: &Disk, seen: &Seen) {
        let done = self.host.take(step, disk, seen);
        match (step, done) {
            // A check that fails is an answer, and not asked for again.
            (Step::Check(volume), Err(error @ HostError::Program(..))) => {
                self.life.checked.insert(*volume, Err(cosi::report(&error)));
            }
            (step, Err(error)) => {
                let reason = cosi::report(&error);
                tracing::error!(disk = seen.name, ?step, reason, "the node's disk");
                self.failed = Some((step.clone(), reason));
                return;
            }
            (step, Ok(told)) => {
                tracing::info!(disk = seen.name, ?step, told, "the node's disk");
                self.note(step, told);
            }
        }
        self.failed = None;
    }

    fn note(&mut self, step: &Step, told: String) {
        let life = &mut self.life;
        match step {
            Step::Make(volume) => drop(life.made.insert(*volume)),
            Step::Empty(volume) => drop(life.emptied.insert(*volume)),
            Step::Check(volume) => drop(life.checked.insert(*volume, Ok(told))),
            Step::Mount(volume) => drop(life.mounted.insert(*volume)),
            Step::Grow(volume) => drop(life.grown.insert(*volume)),
            // The last one is larger from now on.
            Step::Partition(_) => life.grown.clear(),
            Step::Note(_) | Step::Clear | Step::Announce(_) => {}
        }
    }

    fn nowhere(&mut self, known: &Known, reason: &str) -> Turn {
        if !self.life.mounted.is_empty() {
            let reason = format!("{} is gone or cannot be used: {reason}", self.disk);
            return Turn {
                statuses: status::none(VolumePhase::Failed, &reason),
                storage: Some(Storage::Memory { reason }),
                again: None,
                rests: true,
            };
        }
        let (phase, storage) = if known.settled {
            let reason = reason.to_owned();
            (VolumePhase::Missing, Some(Storage::Memory { reason }))
        } else {
            (VolumePhase::Waiting, None)
        };
        Turn {
            statuses: status::none(phase, reason),
            storage,
            again: None,
            rests: true,
        }
    }

    fn storage(&self, statuses: &BTreeMap<String, VolumeStatus>, rests: bool) -> Option<Storage> {
        let (mounted, stopped) = (&self.life.mounted, &self.life.stopped);
        if mounted.contains(&Volume::State) && !stopped.contains(&Volume::State) {
            return self
                .host
                .place(Volume::State)
                .map(|it| Storage::State(it.to_owned()));
        }
        let state = statuses.get(Volume::State.name())?;
        let lost = rests || state.phase == VolumePhase::Failed;
        lost.then(|| Storage::Memory {
            reason: format!("STATE: {}", state.reason),
        })
    }
}

/// Whether two steps do the same, whatever random identifiers they would write.
fn same_kind(one: &Step, other: &Step) -> bool {
    match (one, other) {
        (Step::Note(_), Step::Note(_)) | (Step::Partition(_), Step::Partition(_)) => true,
        (one, other) => one == other,
    }
}

fn random() -> Guid {
    let mut bytes = [0; 16];
    // It fails only where the kernel has no randomness at all; then one disk is named like the next such one.
    if rand::fill(&mut bytes).is_err() {
        tracing::error!("no randomness for the identifiers of the node's disk");
    }
    Guid::random(bytes)
}
