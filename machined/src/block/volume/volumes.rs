//! The handle by which others ask and order something of the keeper.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use resources::block::{Disk, SystemDiskSpec};

use super::host::Host;
use super::keeper::Keeper;
use super::orders::{RefusedError, Target};

/// The node's volumes in the hands of those who may order something: the controller that keeps them, and operators.
#[derive(Clone, Debug)]
pub struct Volumes(Arc<Mutex<Keeper>>);

impl Volumes {
    /// Volumes that are worked on in `run`, with STATE and EPHEMERAL mounted at those places.
    #[must_use]
    pub fn new(run: &Path, state: &Path, ephemeral: &Path) -> Self {
        let host = Host::new(run, state, ephemeral);
        Self(Arc::new(Mutex::new(Keeper::new(host))))
    }

    /// Notes that the node's disk, which the caller names, is to be emptied at the next start; the target is empty on a
    /// node that keeps nothing on a disk. It may block.
    ///
    /// # Errors
    /// When the caller names another disk or none, or it cannot be noted.
    pub fn reset(
        &self,
        disks: &BTreeMap<String, Disk>,
        named: &str,
        dry_run: bool,
    ) -> Result<Target, RefusedError> {
        self.keeper().reset(disks, named, dry_run)
    }

    /// Makes a disk blank that is not the node's own. It may block.
    ///
    /// # Errors
    /// When there is no such disk, it is in use, or it cannot be written.
    pub fn wipe(
        &self,
        disks: &BTreeMap<String, Disk>,
        named: &str,
        dry_run: bool,
    ) -> Result<Target, RefusedError> {
        self.keeper().wipe(disks, named, dry_run)
    }

    /// Looks which disk the node would have with this in its config, and changes nothing; a warning when it is not the one
    /// that the selector fits. It may block.
    ///
    /// # Errors
    /// Why there is none, for a person.
    pub fn would_use(
        &self,
        disks: &BTreeMap<String, Disk>,
        spec: &SystemDiskSpec,
    ) -> Result<Option<String>, String> {
        self.keeper().would_use(disks, spec)
    }

    pub(super) fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
