//! The worker's keys and certificates where they outlive this process.
//!
//! The key of the node's API is on the disk, since the name belongs to it, and so is its certificate: a node that starts while no
//! control plane answers is reached all the same. The kubelet's are in memory, and made anew with every boot.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    #[error("reading {0}")]
    Read(PathBuf, #[source] io::Error),
    #[error("keeping {0}")]
    Keep(PathBuf, #[source] io::Error),
    #[error("the key of the node's API")]
    Key(#[source] RequestError),
}

/// Where they are kept, and what is there.
#[derive(Debug)]
pub(super) struct Kept {
    disk: Folder,
    memory: Folder,
    /// Whoever wonders whether certificates still hold asks for all of them, and does so whenever something happens on the node.
    known: Option<(Arc<Key>, Held)>,
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

    /// A file, if there is one. What is no text in it is nothing that anybody wrote, and left as damage.
    fn read(&self, name: &str) -> Result<Option<String>, KeepError> {
        match self.files.read(name) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeepError::Read(self.path.join(name), source)),
        }
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
            known: None,
        })
    }

    /// The key of the node's API, which is there from then on, and the certificates that there are.
    pub(super) fn all(&mut self) -> Result<(Arc<Key>, Held), KeepError> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let key = self.key()?;
        let held = Held {
            machine: self.machine(&key)?,
            kubelet: self.kubelet()?,
        };
        Ok(self.known.insert((Arc::new(key), held)).clone())
    }

    /// The key of the node's API, made if there is none. A damaged one is lost for good, so another takes its place; one that cannot
    /// be read now is not, and the name of the node belongs to it.
    fn key(&mut self) -> Result<Key, KeepError> {
        match self.disk.read(KEY)?.map(|text| Key::from_pem(&text)) {
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
    fn machine(&self, key: &Key) -> Result<Option<Identity>, KeepError> {
        let text = self.disk.read(MACHINE)?;
        Ok(text.and_then(|it| Identity::from_pem(&it, key.pem().expose()).ok()))
    }

    /// The kubelet's, of this boot.
    fn kubelet(&self) -> Result<Option<Kubelet>, KeepError> {
        let read = |name| {
            let text = self.memory.read(name)?;
            Ok(text.and_then(|it| Identity::from_pem(&it, &it).ok()))
        };
        let (client, serving) = (read(KUBELET)?, read(KUBELET_SERVING)?);
        let both = client.zip(serving);
        Ok(both.map(|(client, serving)| Kubelet { client, serving }))
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
        if let Some((_, held)) = &mut self.known {
            let Held { machine, kubelet } = new.clone();
            held.machine = machine.or(held.machine.take());
            held.kubelet = kubelet.or(held.kubelet.take());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::{SignedDuration, Timestamp};
    use pki::{Authority, Names};

    use super::*;

    #[test]
    fn a_key_is_made_where_there_is_none_and_not_where_it_cannot_be_read() {
        let (disk, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut kept = Kept::open(disk.path(), memory.path()).unwrap();
        let key = kept.key().unwrap();
        let same =
            |key: &Key, kept: &mut Kept| kept.key().unwrap().pem().expose() == key.pem().expose();
        assert!(same(&key, &mut kept));
        // What stands for a disk that gives nothing.
        let (file, aside) = (disk.path().join(KEY), disk.path().join("aside"));
        fs::rename(&file, &aside).unwrap();
        fs::create_dir(&file).unwrap();
        let error = kept.key().unwrap_err();
        assert!(
            matches!(&error, KeepError::Read(path, _) if *path == file),
            "{error}"
        );
        assert!(kept.machine(&key).unwrap().is_none());
        fs::remove_dir(&file).unwrap();
        fs::rename(&aside, &file).unwrap();
        assert!(same(&key, &mut kept));
        // One that is damaged is lost, text or not.
        fs::write(&file, b"\xff\xfe").unwrap();
        let new = kept.key().unwrap();
        assert_ne!(new.pem().expose(), key.pem().expose());
        assert!(same(&new, &mut kept));
    }

    #[test]
    fn what_is_kept_is_read_once_and_new_ones_take_its_place() {
        let (disk, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = || Kept::open(disk.path(), memory.path()).unwrap();
        let mut kept = open();
        let (key, none) = kept.all().unwrap();
        assert!(none.machine.is_none() && none.kubelet.is_none());
        let now = Timestamp::now();
        let authority = Authority::generate("ours", now).unwrap();
        let (names, hour) = (Names::loopback(), SignedDuration::from_hours(1));
        let issued = || authority.issue_serving("w-1", &names, hour, now).unwrap();
        let kubelet = || Kubelet {
            client: issued(),
            serving: issued(),
        };
        let new = Held {
            machine: None,
            kubelet: Some(kubelet()),
        };
        kept.keep(&new).unwrap();
        let serial = |held: &Held| {
            held.kubelet
                .as_ref()
                .unwrap()
                .client
                .certificate()
                .serial
                .clone()
        };
        // Nobody but this process writes there.
        for name in [KEY, KUBELET, KUBELET_SERVING] {
            let [on_disk, in_memory] = [&disk, &memory].map(|it| it.path().join(name));
            assert!(fs::remove_file(on_disk).is_ok() || fs::remove_file(in_memory).is_ok());
        }
        let (same, held) = kept.all().unwrap();
        assert_eq!(same.pem().expose(), key.pem().expose());
        assert_eq!(serial(&held), serial(&new));
        // Another life reads what the last one kept.
        let last = Held {
            machine: None,
            kubelet: Some(kubelet()),
        };
        kept.keep(&last).unwrap();
        assert_eq!(serial(&open().all().unwrap().1), serial(&last));
    }
}
