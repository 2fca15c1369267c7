//! A snapshot on its way in: a file beside the data that becomes the order to begin from it when all of it is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

use ::etcd::Check;
use store::Store;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;

use super::bootstrap::{Bootstrap, BootstrapError};

/// The longest snapshot: etcd itself advises against more than 8 GiB of data.
pub(super) const LONGEST: u64 = (8 << 30) + 32;

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
            file: File::create(&unfinished)?,
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

    /// Has all of it on the disk; gives its length.
    fn whole(mut self) -> Result<(Self, u64), BootstrapError> {
        let length = std::mem::take(&mut self.check).end()?;
        self.file.sync_all().map_err(BootstrapError::Keep)?;
        Ok((self, length))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // It has another name by then, or whatever went wrong is what matters.
        drop(fs::remove_file(&self.unfinished));
    }
}
