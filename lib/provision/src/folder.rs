//! A cluster's folder and the lock on it.
//!
//! The lock is on the folder itself, so that nothing is left when the folder goes. It dies with whoever holds it, and a
//! child that has not yet become another program holds it too: with the lock in hand, every process that an earlier
//! holder started can be seen.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::deadline::Deadline;

/// What went wrong with a cluster's folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made.
    #[error("cannot create {}", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// It is not there.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be locked.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else is at work on it.
    #[error("another program has been at work on {} for {}s", path.display(), limit.as_secs())]
    Busy {
        /// The folder.
        path: PathBuf,
        /// How long was waited.
        limit: std::time::Duration,
    },
    /// It cannot be removed.
    #[error("cannot remove {}", path.display())]
    Remove {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A cluster's folder, ours alone until this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes a new one, readable by its user only: consoles and sockets are nobody else's business.
    pub(crate) fn create(path: &Path, deadline: Deadline) -> Result<Self, FolderError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => Self::lock(path, deadline)?.fresh(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(FolderError::Exists {
                    path: path.to_owned(),
                })
            }
            Err(source) => Err(FolderError::Create {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// This one if nobody else has begun with it: between its making and its locking it may have been removed, and made
    /// and used by another creator.
    fn fresh(self) -> Result<Self, FolderError> {
        let empty = fs::read_dir(&self.path).map(|mut entries| entries.next().is_none());
        match empty {
            Ok(true) => Ok(self),
            Ok(false) => Err(FolderError::Exists { path: self.path }),
            Err(source) => Err(FolderError::Create {
                path: self.path,
                source,
            }),
        }
    }

    /// Takes the lock of one that exists.
    pub(crate) fn lock(path: &Path, deadline: Deadline) -> Result<Self, FolderError> {
        let taken = deadline.try_until(|| try_lock(path))?;
        let lock = taken.ok_or_else(|| FolderError::Busy {
            path: path.to_owned(),
            limit: deadline.limit(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it with everything in it.
    pub(crate) fn remove(self) -> Result<(), FolderError> {
        match fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FolderError::Remove {
                path: self.path,
                source,
            }),
            _ => Ok(()),
        }
    }
}

/// The lock, or nothing while somebody else has it or the folder has just been replaced by another of its name.
fn try_lock(path: &Path) -> Result<Option<File>, FolderError> {
    let failed = |source| FolderError::Lock {
        path: path.to_owned(),
        source,
    };
    let missing = || FolderError::Missing {
        path: path.to_owned(),
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
        opened => opened.map_err(failed)?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let held = file.metadata().map_err(failed)?;
    let there = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
        found => found.map_err(failed)?,
    };
    let same = (held.dev(), held.ino()) == (there.dev(), there.ino());
    Ok(same.then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn now() -> Deadline {
        Deadline::after(Duration::from_millis(50))
    }

    #[test]
    fn one_holder_at_a_time_and_none_after_removal() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("demo");
        assert!(matches!(
            Folder::lock(&path, now()),
            Err(FolderError::Missing { .. })
        ));
        let held = Folder::create(&path, now()).unwrap();
        assert!(matches!(
            Folder::create(&path, now()),
            Err(FolderError::Exists { .. })
        ));
        assert!(matches!(
            Folder::lock(&path, now()),
            Err(FolderError::Busy { .. })
        ));
        drop(held);
        let held = Folder::lock(&path, now()).unwrap();
        fs::write(path.join("x"), "").unwrap();
        held.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn of_two_creators_of_one_name_one_has_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("demo");
        let held = Folder::create(&path, now()).unwrap();
        fs::write(path.join("state.json"), "").unwrap();
        // A second one that made the folder too, before somebody removed it, and has waited for its lock.
        drop(held);
        let late = Folder::lock(&path, now()).and_then(Folder::fresh);
        assert!(matches!(late, Err(FolderError::Exists { .. })));
    }

    #[test]
    fn the_folder_is_its_users_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("demo");
        let _held = Folder::create(&path, now()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    }
}
