//! The values from before we changed them, kept across our death.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ::config::SysctlKey;

use crate::config::{Disk, DiskError, Files};

/// The file: a map of keys and values as JSON.
const FILE: &str = "before.json";
/// What it is called until it is whole.
const UNFINISHED: &str = "unfinished";

/// The values from before, in memory and in a file that is never behind it.
#[derive(Debug)]
pub(super) struct Kept {
    files: Disk,
    values: BTreeMap<SysctlKey, String>,
}

impl Kept {
    /// Keeps them in `folder`, made if it is not there. A file that cannot be read is told and begun anew: settings
    /// then keep the values they have when their documents go.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(super) fn open(folder: &Path) -> Result<Self, DiskError> {
        let files = Disk::open(folder)?;
        let values = read(&files).unwrap_or_else(|error| {
            tracing::warn!(%error, "the kernel settings from before are lost");
            BTreeMap::new()
        });
        Ok(Self { files, values })
    }

    pub(super) fn get(&self, key: &SysctlKey) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &SysctlKey> {
        self.values.keys()
    }

    /// Keeps a value. When it returns, our next life knows it.
    pub(super) fn keep(&mut self, key: &SysctlKey, value: &str) -> io::Result<()> {
        let mut values = self.values.clone();
        values.insert(key.clone(), value.to_owned());
        self.replace(values)
    }

    /// Keeps it no longer.
    pub(super) fn forget(&mut self, key: &SysctlKey) -> io::Result<()> {
        let mut values = self.values.clone();
        values.remove(key);
        self.replace(values)
    }

    fn replace(&mut self, values: BTreeMap<SysctlKey, String>) -> io::Result<()> {
        let bytes = serde_json::to_vec(&values).map_err(io::Error::other)?;
        self.files.write(UNFINISHED, &bytes)?;
        self.files.rename(UNFINISHED, FILE)?;
        self.values = values;
        Ok(())
    }
}

fn read(files: &Disk) -> io::Result<BTreeMap<SysctlKey, String>> {
    match files.read(FILE) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}
