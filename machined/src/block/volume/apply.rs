//! Makes, checks and mounts the node's volumes, and says where configs are kept and whether there is room for workloads.

use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::block::{Disk, SYSTEM_DISK, SystemDiskSpec, VolumePhase, VolumeStatus};
use resources::runtime::Condition;
use tokio::sync::watch;
use tokio::time::Instant;

use super::candidates::fitting;
use super::keeper::Known;
use super::layout::Volume;
use super::volumes::Volumes;
use crate::config::Storage;

/// The condition that every device that was there at the start has been given its driver.
pub const DEVICES: &str = "devices";

/// The condition that EPHEMERAL is mounted and can be written, for what keeps much or must not lose it with the power.
pub const EPHEMERAL: &str = "ephemeral";

/// How long after that a disk may take to show itself before the node goes on without: drivers of USB, SAS and NVMe look
/// for disks in the background. One that comes later is taken up all the same.
const SETTLE: Duration = Duration::from_secs(1);

/// How long a disk is waited for when drivers do not come to an end of loading: one that hangs must not hold up the node.
const LONGEST: Duration = Duration::from_secs(60);

/// The controller.
#[derive(Debug)]
pub struct Apply {
    volumes: Volumes,
    storage: watch::Sender<Storage>,
    begun: Option<Instant>,
    loaded: Option<Instant>,
    /// What was known when there was nothing left to do.
    rested: Option<Known>,
}

cosi::declare! {
    Apply as "block.volume.apply" {
        reads Disk;
        reads SystemDiskSpec;
        reads Condition;
        writes VolumeStatus;
        shares Condition;
    }
}

impl Apply {
    /// Keeps these volumes, and tells `storage` where configs are kept.
    #[must_use]
    pub fn new(volumes: Volumes, storage: watch::Sender<Storage>) -> Self {
        Self {
            volumes,
            storage,
            begun: None,
            loaded: None,
            rested: None,
        }
    }

    /// Whether disks have had their time to show themselves; if not, how long they still have.
    fn settled(&mut self, cx: &Cx<'_, Self>) -> Result<(), Duration> {
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        let loaded = cx.get::<Condition>(DEVICES).is_some_and(|it| it.spec.met);
        let until = if loaded {
            *self.loaded.get_or_insert(now) + SETTLE
        } else {
            begun + LONGEST
        };
        let wait = until.saturating_duration_since(now);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }
}

/// Whether there is a place for what is written, and why not. Nothing is said of it on a node without a disk of its own: that
/// waits for none, and whatever needs one says so itself.
pub(super) fn condition(ephemeral: Option<&VolumeStatus>) -> Option<Condition> {
    let VolumeStatus {
        phase,
        mounted_at,
        reason,
        ..
    } = ephemeral?;
    let (met, message) = match phase {
        VolumePhase::Waiting | VolumePhase::Missing => return None,
        VolumePhase::Ready => (true, format!("EPHEMERAL is mounted at {mounted_at}")),
        VolumePhase::Preparing | VolumePhase::Failed => (false, format!("EPHEMERAL: {reason}")),
    };
    Some(Condition { met, message })
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let disks = cx.list::<Disk>().into_iter();
        let disks = disks
            .map(|it| (it.id().to_owned(), (*it.spec).clone()))
            .collect();
        let settled = self.settled(cx);
        let wanted = match cx.get::<SystemDiskSpec>(SYSTEM_DISK) {
            Some(spec) => Some(fitting(&spec.spec, &disks)?),
            None => None,
        };
        let known = Known {
            disks,
            wanted,
            settled: settled.is_ok(),
        };
        let (volumes, rested) = (self.volumes.clone(), self.rested.take());
        let turn = move || {
            let mut keeper = volumes.keeper();
            let same = rested.as_ref() == Some(&known);
            match same.then(|| keeper.is_as_it_was(&known)).flatten() {
                Some(again) => (known, Err(again)),
                None => {
                    let turn = keeper.turn(&known);
                    (known, Ok(turn))
                }
            }
        };
        let (known, turn) = tokio::task::spawn_blocking(turn).await?;
        let rests = turn.as_ref().map_or(true, |it| it.rests);
        self.rested = rests.then_some(known);
        let turn = match turn {
            Ok(turn) => turn,
            Err(again) => return Ok(Outcome::Requeue(again)),
        };
        match condition(turn.statuses.get(Volume::Ephemeral.name())) {
            Some(condition) => cx.put(EPHEMERAL, condition),
            None => cx.remove::<Condition>(EPHEMERAL),
        }
        cx.replace::<VolumeStatus>();
        for (volume, status) in turn.statuses {
            cx.put(volume, status);
        }
        if let Some(storage) = turn.storage {
            self.storage.send_if_modified(|it| {
                let changed = *it != storage;
                *it = storage;
                changed
            });
        }
        let waits = [turn.again, settled.err()];
        Ok(match waits.into_iter().flatten().min() {
            Some(wait) => Outcome::Requeue(wait),
            None => Outcome::Done,
        })
    }
}
