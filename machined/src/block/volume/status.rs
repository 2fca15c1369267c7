//! What is told of the volumes. Pure.

use std::collections::BTreeMap;

use resources::block::{Disk, VolumePhase, VolumeStatus};

use super::device::device;
use super::host::Host;
use super::layout::{Fit, Volume};
use super::plan::{Content, Life, Seen, Step};

/// What is told of a volume that cannot be written any more.
const STOPPED: &str = "its disk failed to write, so nothing is kept there until the node starts again, which checks it; \
                       `osctl logs kernel` has the errors; a disk that fails again is to be replaced";

/// Tells of volumes of which there are none, and why.
pub(super) fn none(phase: VolumePhase, reason: &str) -> BTreeMap<String, VolumeStatus> {
    let status = VolumeStatus {
        phase,
        reason: reason.to_owned(),
        ..VolumeStatus::default()
    };
    let each = Volume::MOUNTED.into_iter();
    each.map(|volume| (volume.name().to_owned(), status.clone()))
        .collect()
}

/// A disk that was chosen, and where it stands.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    pub(super) disk: &'a Disk,
    pub(super) seen: &'a Seen,
    /// What is done next.
    pub(super) step: Option<&'a Step>,
    /// Why the step before that did not go well.
    pub(super) failed: Option<&'a str>,
    pub(super) life: &'a Life,
    /// Who knows where volumes are mounted when they are.
    pub(super) host: &'a Host,
}

/// Tells of the volumes of a disk.
pub(super) fn of(standing: &Standing<'_>) -> BTreeMap<String, VolumeStatus> {
    let Content::Ours { table, fit, .. } = standing.seen.content() else {
        let path = &standing.disk.path;
        return match standing.failed {
            Some(reason) => none(VolumePhase::Failed, reason),
            None => none(VolumePhase::Preparing, &format!("partitioning {path}")),
        };
    };
    let each = Volume::ALL.into_iter().filter_map(|volume| {
        let partition = table
            .partitions
            .iter()
            .find(|it| it.number == volume.number())?;
        let (phase, reason) = match fit {
            Fit::Larger => (
                VolumePhase::Failed,
                "the disk is smaller than its partition table; it is left alone".to_owned(),
            ),
            _ => standing.phase(volume),
        };
        let mounted = standing.life.mounted.contains(&volume);
        let place = standing
            .host
            .place(volume)
            .map(|it| it.display().to_string());
        let status = VolumeStatus {
            phase,
            device: device(&standing.disk.path, volume),
            bytes: partition.bytes,
            mounted_at: place.filter(|_| mounted).unwrap_or_default(),
            reason,
        };
        Some((volume.name().to_owned(), status))
    });
    each.collect()
}

impl Standing<'_> {
    fn phase(&self, volume: Volume) -> (VolumePhase, String) {
        if !Volume::MOUNTED.contains(&volume) {
            return (VolumePhase::Ready, String::new());
        }
        if let Some(Err(reason)) = self.life.checked.get(&volume) {
            return (VolumePhase::Failed, reason.clone());
        }
        if self.life.stopped.contains(&volume) {
            return (VolumePhase::Failed, STOPPED.to_owned());
        }
        let concerned = self.step.and_then(concerns) == Some(volume);
        let failed = self
            .failed
            .filter(|_| concerned || self.step.is_none_or(|it| concerns(it).is_none()));
        let mended = self.life.checked.get(&volume);
        let mended = mended.and_then(|it| it.clone().ok()).unwrap_or_default();
        match (self.life.mounted.contains(&volume), failed, self.step) {
            (true, Some(reason), _) => (VolumePhase::Ready, reason.to_owned()),
            (true, None, _) => (VolumePhase::Ready, mended),
            (false, Some(reason), _) => (VolumePhase::Failed, reason.to_owned()),
            (false, None, Some(step)) if concerned => {
                (VolumePhase::Preparing, doing(step).to_owned())
            }
            (false, None, Some(_)) => (VolumePhase::Preparing, String::new()),
            (false, None, None) => (
                VolumePhase::Missing,
                format!(
                    "there is nothing on it; a SystemDisk document that fits {} has it made",
                    self.seen.name
                ),
            ),
        }
    }
}

/// The volume that a step is about.
fn concerns(step: &Step) -> Option<Volume> {
    match step {
        Step::Empty(volume)
        | Step::Make(volume)
        | Step::Check(volume)
        | Step::Mount(volume)
        | Step::Grow(volume) => Some(*volume),
        Step::Note(_) | Step::Clear | Step::Partition(_) | Step::Announce(_) => None,
    }
}

fn doing(step: &Step) -> &'static str {
    match step {
        Step::Note(_) => "writing notes",
        Step::Clear | Step::Empty(_) => "wiping",
        Step::Partition(_) => "partitioning",
        Step::Announce(_) => "having the kernel read the partitions",
        Step::Make(_) => "making a file system",
        Step::Check(_) => "checking the file system",
        Step::Mount(_) => "mounting",
        Step::Grow(_) => "growing the file system",
    }
}
