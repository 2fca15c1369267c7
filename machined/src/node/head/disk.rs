//! Orders about disks: they end in a restart, or change what the node could start from.

use std::collections::BTreeMap;
use std::time::Duration;

use ::api::v1alpha1 as v1;
use ::config::Documents;
use resources::block::Disk;
use store::Spec as _;
use tokio::time::timeout;

use super::Head;
use crate::api::Failure;
use crate::block::volume::{self, RefusedError, Target};
use crate::config::Storage;

/// How long a caller waits for the disk. `osctl` gives up after 30 seconds.
const LOOKING: Duration = Duration::from_secs(20);

impl Head {
    /// Says which disk a reset empties that is to be carried out: one that has to be named.
    pub(super) async fn would_reset(&mut self, disk: &str) -> Result<v1::ResetResponse, Failure> {
        let target = self.empty(disk.to_owned(), true).await?;
        if disk.is_empty() && !target.disk.is_empty() {
            return Err(refused(RefusedError::Unnamed(target.description)));
        }
        Ok(target)
    }

    /// Has the node's disk emptied at the next start, unless it is a dry run.
    pub(super) async fn empty(
        &mut self,
        disk: String,
        dry_run: bool,
    ) -> Result<v1::ResetResponse, Failure> {
        self.has_looked().await?;
        let (volumes, disks) = (self.volumes.clone(), self.disks());
        let noted = self.on_thread(move |_| volumes.reset(&disks, &disk, dry_run));
        let Target { name, description } = noted.await?.map_err(refused)?;
        Ok(v1::ResetResponse {
            disk: name,
            description,
        })
    }

    /// Makes a disk blank that the node does not use.
    pub(super) async fn wipe_disk(
        &mut self,
        request: v1::WipeDiskRequest,
    ) -> Result<v1::WipeDiskResponse, Failure> {
        self.has_looked().await?;
        let v1::WipeDiskRequest { disk, dry_run } = request;
        let (volumes, disks) = (self.volumes.clone(), self.disks());
        let wiped = self.on_thread(move |_| volumes.wipe(&disks, &disk, dry_run));
        let Target { name, description } = wiped.await?.map_err(refused)?;
        Ok(v1::WipeDiskResponse {
            disk: name,
            description,
        })
    }

    /// Refuses a new word on the node's disk that leaves it without one, unless forced; what its sender should know of it.
    pub(super) async fn has_a_disk(
        &self,
        running: Option<&Documents>,
        wanted: &Documents,
        force: bool,
    ) -> Result<Option<String>, Failure> {
        let Some(spec) = volume::config::wanted(wanted) else {
            return Ok(None);
        };
        // What was taken before may go on without its disk, or nothing could be changed any more once that is gone.
        if running.and_then(volume::config::wanted).as_ref() == Some(&spec) {
            return Ok(None);
        }
        let (volumes, disks) = (self.volumes.clone(), self.disks());
        let found = self.on_thread(move |_| volumes.would_use(&disks, &spec));
        match found.await? {
            Ok(warning) => Ok(warning),
            // It is kept on its disk now, even if this life has not seen all of them yet.
            Err(_) if matches!(*self.storage.borrow(), Storage::State(_)) => Ok(None),
            Err(reason) if force => Ok(Some(format!(
                "{reason}; the config is kept in memory until such a disk is there"
            ))),
            Err(reason) => Err(Failure::precondition(format!(
                "{reason}. Nothing has changed; with --force the config is applied all the same, and kept in memory until \
                 such a disk is there"
            ))),
        }
    }

    /// Waits until it is known where the node keeps things: a daemon that was killed looks for the disk anew, and that
    /// takes a moment. Refuses what cannot be done before, if it takes long.
    pub(super) async fn has_looked(&mut self) -> Result<(), Failure> {
        if *self.storage.borrow() != Storage::Looking {
            return Ok(());
        }
        let known = self.storage.wait_for(|it| *it != Storage::Looking);
        if !matches!(timeout(LOOKING, known).await, Ok(Ok(_))) {
            return Err(Failure::unavailable(
                "the node is still looking for its disk; try again in a moment",
            ));
        }
        self.settle().await;
        Ok(())
    }

    fn disks(&self) -> BTreeMap<String, Disk> {
        let snapshot = self.store.snapshot();
        let disks = snapshot.list_as::<Disk>(Disk::DEFINITION.namespace);
        disks
            .map(|it| (it.metadata.id.to_string(), (*it.spec).clone()))
            .collect()
    }
}

fn refused(error: RefusedError) -> Failure {
    let text = cosi::report(&error);
    match error {
        RefusedError::Unknown { .. } => Failure::not_found(text),
        RefusedError::Host(_) => Failure::internal(text),
        RefusedError::Ambiguous(_) | RefusedError::Other { .. } => Failure::invalid(text),
        RefusedError::NoDisk
        | RefusedError::Unnamed(_)
        | RefusedError::Own(_)
        | RefusedError::Held(_) => Failure::precondition(text),
    }
}
