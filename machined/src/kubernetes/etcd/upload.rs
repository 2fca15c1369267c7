//! A snapshot on its way in: a file beside the data that becomes the order to begin from it when all of it is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

use ::etcd::Check;

use super::bootstrap::{Bootstrap, BootstrapError};

/// The longest snapshot: etcd itself advises against more than 8 GiB of data.
pub(super) const LONGEST: u64 = (8 << 30) + 32;

/// A snapshot on its way in. Nothing is left of one that is dropped before its end.
#[derive(Debug)]
pub struct Upload {
    bootstrap: Bootstrap,
    unfinished: PathBuf,
    file: File,
    check: Check,
}

impl Upload {
    pub(super) fn begin(bootstrap: &Bootstrap) -> io::Result<Self> {
        let unfinished = bootstrap.folder().join(".recover.db.unfinished");
        Ok(Self {
            bootstrap: bootstrap.clone(),
            file: File::create(&unfinished)?,
            unfinished,
            check: Check::default(),
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

    /// Has a cluster begin from it; gives its length. It waits for the disk.
    ///
    /// # Errors
    /// It is no snapshot, or cannot be kept. Nothing begins, then.
    pub fn end(mut self) -> Result<u64, BootstrapError> {
        let length = std::mem::take(&mut self.check).end()?;
        let kept = self.file.sync_all();
        let kept = kept.and_then(|()| self.bootstrap.recover(&self.unfinished));
        kept.map_err(BootstrapError::Keep)?;
        Ok(length)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // It has another name by then, or whatever went wrong is what matters.
        drop(fs::remove_file(&self.unfinished));
    }
}
