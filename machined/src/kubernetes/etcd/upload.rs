//! A snapshot on its way in: a file beside the data that becomes the order to begin from it when all of it is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

use ::config::EtcdConfig;
use ::etcd::{Check, Database, StorageVersion};
use store::Store;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;

use super::bootstrap::{Bootstrap, BootstrapError};
use crate::kubernetes::image;

/// The longest snapshot: of all data that a config allows, and what comes in beyond that before it is noticed.
pub(super) const LONGEST: u64 = EtcdConfig::LARGEST_QUOTA.get() + (1 << 30);

/// A snapshot on its way in. Nothing is left of one that is dropped before its end.
#[derive(Debug)]
pub struct Upload {
    bootstrap: Bootstrap,
    store: Store,
    unfinished: PathBuf,
    file: File,
    check: Check,
    /// The file is nobody else's until it has its other name, or none.
    _permit: OwnedSemaphorePermit,
}

impl Upload {
    pub(super) fn begin(
        bootstrap: &Bootstrap,
        store: Store,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        let unfinished = bootstrap.folder().join(".recover.db.unfinished");
        Ok(Self {
            bootstrap: bootstrap.clone(),
            store,
            file: File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&unfinished)?,
            unfinished,
            check: Check::default(),
            _permit: permit,
        })
    }

    /// Takes what comes next. It waits for the disk.
    ///
    /// # Errors
    /// It can be no snapshot, is too long, or cannot be kept.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), BootstrapError> {
        self.check.take(bytes)?;
        if self.check.length() > LONGEST {
            return Err(BootstrapError::Long);
        }
        self.file.write_all(bytes).map_err(BootstrapError::Keep)
    }

    /// Has a cluster begin from it; gives its length. Nothing begins when it is dropped before that.
    ///
    /// # Errors
    /// It is no snapshot, cannot be kept, or no cluster can begin here any more. Nothing begins, then.
    pub async fn end(self) -> Result<u64, BootstrapError> {
        let whole = spawn_blocking(move || self.whole()).await;
        let (upload, length) = whole.map_err(|error| BootstrapError::Keep(error.into()))??;
        let bootstrap = upload.bootstrap.clone();
        let kept = bootstrap.work(move |own| Ok(own.recover(&upload.store, &upload.unfinished)));
        kept.await.map_err(BootstrapError::Keep)??;
        Ok(length)
    }

    /// Has all of it on the disk, when this node's etcd can read it; gives its length.
    fn whole(mut self) -> Result<(Self, u64), BootstrapError> {
        let length = std::mem::take(&mut self.check).end()?;
        if let Some(snapshot) = Database::read(&self.file)?.version
            && snapshot > own_version()
        {
            return Err(BootstrapError::Newer { snapshot });
        }
        self.file.sync_all().map_err(BootstrapError::Keep)?;
        Ok((self, length))
    }
}

/// What etcd of this build writes.
fn own_version() -> StorageVersion {
    image::ETCD
        .parse()
        .expect("a version, as a test holds it to be")
}

impl Drop for Upload {
    fn drop(&mut self) {
        // It has another name by then, or whatever went wrong is what matters.
        drop(fs::remove_file(&self.unfinished));
    }
}
