//! The worker's keys and certificates where they outlive this process.
//!
//! The key of the node's API is on the disk, since the name belongs to it, and so is its certificate: a node that starts while no
//! control plane answers is reached all the same. The kubelet's are in memory, and made anew with every boot.

use std::io;
use std::path::{Path, PathBuf};

use pki::{Identity, Key, RequestError};
use thiserror::Error;

use super::{Held, Kubelet};
use crate::config::{Disk, DiskError, Files as _};
use crate::kubernetes::files::both;

/// The key of the node's API, and what it got a certificate for.
const KEY: &str = "key.pem";
pub(super) const MACHINE: &str = "machine.pem";
/// The kubelet's certificates, each with its key.
const KUBELET: &str = "kubelet.pem";
const KUBELET_SERVING: &str = "kubelet-serving.pem";
/// What a file is called until it is whole.
const UNFINISHED: &str = "unfinished";

/// Keys or certificates cannot be kept.
#[derive(Debug, Error)]
pub(super) enum KeepError {
    #[error("keeping the node's keys")]
    Folder(#[source] DiskError),
    #[error("keeping {0}")]
    Keep(PathBuf, #[source] io::Error),
    #[error("the key of the node's API")]
    Key(#[source] RequestError),
}

/// Where they are kept.
#[derive(Debug)]
pub(super) struct Kept {
    disk: Folder,
    memory: Folder,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    files: Disk,
}

impl Folder {
    fn open(path: &Path) -> Result<Self, KeepError> {
        Ok(Self {
            path: path.to_owned(),
            files: Disk::open(path).map_err(KeepError::Folder)?,
        })
    }

    fn read(&self, name: &str) -> Option<String> {
        String::from_utf8(self.files.read(name).ok()?).ok()
    }

    /// Old or new, and never a part, whenever the power goes.
    fn write(&mut self, name: &str, text: &str) -> Result<(), KeepError> {
        let mut steps = || {
            self.files.write(UNFINISHED, text.as_bytes())?;
            self.files.rename(UNFINISHED, name)?;
            self.files.sync()
        };
        steps().map_err(|source| KeepError::Keep(self.path.join(name), source))
    }
}

impl Kept {
    /// Keeps them in these folders, made if they are not there.
    pub(super) fn open(disk: &Path, memory: &Path) -> Result<Self, KeepError> {
        Ok(Self {
            disk: Folder::open(disk)?,
            memory: Folder::open(memory)?,
        })
    }

    /// The key of the node's API, made if there is none. A damaged one is lost for good, so another takes its place.
    pub(super) fn key(&mut self) -> Result<Key, KeepError> {
        match self.disk.read(KEY).map(|text| Key::from_pem(&text)) {
            Some(Ok(key)) => return Ok(key),
            Some(Err(error)) => {
                tracing::error!("the node's key is damaged: {}", cosi::report(&error));
            }
            None => {}
        }
        let key = Key::generate().map_err(KeepError::Key)?;
        self.disk.write(KEY, key.pem().expose())?;
        Ok(key)
    }

    /// The certificate of the node's API, if there is one for this key.
    pub(super) fn machine(&self, key: &Key) -> Option<Identity> {
        Identity::from_pem(&self.disk.read(MACHINE)?, key.pem().expose()).ok()
    }

    /// The kubelet's, of this boot.
    pub(super) fn kubelet(&self) -> Option<Kubelet> {
        let read = |name| {
            let text = self.memory.read(name)?;
            Identity::from_pem(&text, &text).ok()
        };
        Some(Kubelet {
            client: read(KUBELET)?,
            serving: read(KUBELET_SERVING)?,
        })
    }

    /// Keeps new ones.
    pub(super) fn keep(&mut self, new: &Held) -> Result<(), KeepError> {
        if let Some(Kubelet { client, serving }) = &new.kubelet {
            self.memory.write(KUBELET, &both(client))?;
            self.memory.write(KUBELET_SERVING, &both(serving))?;
        }
        if let Some(machine) = &new.machine {
            self.disk.write(MACHINE, machine.certificate_pem())?;
        }
        Ok(())
    }
}
