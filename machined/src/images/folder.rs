//! The folder of a bundle: opens its files, and reads them in pieces on a thread that may hang with its medium.
//!
//! A bundle may be on a medium that somebody else has made. So its files are opened below their folder without following any link,
//! and only plain files are read. Each folder has one turn: however many ask for what lies on a medium that does not answer, it
//! holds one thread.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::layout::{Content, ContentError, Name};

/// How much of a file is read at once, in bytes: what a caller holds of it in memory.
pub(super) const PIECE: u64 = 128 << 10;

/// The folder of a bundle. Cheap to clone.
#[derive(Clone)]
pub struct Folder {
    path: Arc<Path>,
    turn: Arc<Semaphore>,
}

/// What tells a file from what was there before: other bytes do not come without another one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// How long the file is.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Folder {
    /// The folder at this path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path: path.into(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Keeps everybody else from reading, as a medium that hangs does.
    #[cfg(test)]
    pub(super) fn hang(&self) -> tokio::sync::OwnedSemaphorePermit {
        let turn = Arc::clone(&self.turn).try_acquire_owned();
        turn.expect("nobody reads")
    }

    fn open(&self, name: Name) -> Result<(File, Identity), ContentError> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let beneath = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        let how = OpenHow::new().flags(flags).resolve(beneath);
        let folder = File::open(&self.path).map_err(failed)?;
        let file = openat2(&folder, name.to_string().as_str(), how);
        let file = File::from(file.map_err(|errno| failed(errno.into()))?);
        let metadata = file.metadata().map_err(ContentError::Read)?;
        if !metadata.is_file() {
            return Err(ContentError::Kind);
        }
        Ok((file, Identity::of(&metadata)))
    }

    /// What tells a file from another one that comes in its place.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    pub(super) fn identity(&self, name: Name) -> Result<Identity, ContentError> {
        self.open(name).map(|(_, identity)| identity)
    }

    /// Opens a file to read it in pieces.
    ///
    /// # Errors
    /// It is not there, or cannot be opened.
    pub(super) async fn opened(&self, name: Name) -> Result<Opened, ContentError> {
        let folder = self.clone();
        let (file, identity) = self.in_turn(move || folder.open(name)).await??;
        Ok(Opened {
            folder: self.clone(),
            file: Arc::new(file),
            identity,
        })
    }

    /// Does something on a thread of its own when nothing else is done in this folder. Cancelling it leaves the thread to its end.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ContentError> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| ContentError::Read(io::Error::other(error)))?;
        let worked = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        let worked = worked.await;
        worked.map_err(|error| ContentError::Read(io::Error::other(error)))
    }
}

impl Content for Folder {
    fn read(&self, name: Name, most: u64) -> Result<Vec<u8>, ContentError> {
        let (file, _) = self.open(name)?;
        let mut bytes = Vec::new();
        let read = file.take(most + 1).read_to_end(&mut bytes);
        let read = read.map_err(ContentError::Read)?;
        if u64::try_from(read).is_ok_and(|read| read <= most) {
            Ok(bytes)
        } else {
            Err(ContentError::Long(most))
        }
    }

    fn bytes(&self, name: Name) -> Result<u64, ContentError> {
        self.identity(name).map(|identity| identity.bytes)
    }
}

fn failed(error: io::Error) -> ContentError {
    let links = [Errno::ELOOP, Errno::EXDEV].map(|errno| Some(errno as i32));
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ContentError::Missing,
        _ if links.contains(&error.raw_os_error()) => ContentError::Kind,
        _ => ContentError::Read(error),
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// An open file of a bundle.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    folder: Folder,
    file: Arc<File>,
    identity: Identity,
}

impl Opened {
    /// What it was when it was opened.
    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Reads from `at` on as much as is held at once, but not beyond `end`, and has `work` look at it there, where it may take its
    /// time.
    ///
    /// # Errors
    /// The medium, or the file has become shorter.
    pub(super) async fn piece<T: Send + 'static>(
        &self,
        at: u64,
        end: u64,
        work: impl FnOnce(Vec<u8>) -> T + Send + 'static,
    ) -> Result<T, ContentError> {
        let file = Arc::clone(&self.file);
        let read = move || {
            // It is small enough on every machine.
            let length = usize::try_from(PIECE.min(end.saturating_sub(at))).unwrap_or(0);
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, at)?;
            Ok(work(bytes))
        };
        self.folder.in_turn(read).await?.map_err(ContentError::Read)
    }

    /// Whether it still is what it was when it was opened.
    ///
    /// # Errors
    /// It cannot be looked at any more.
    pub(super) async fn is_the_same(&self) -> Result<bool, ContentError> {
        let file = Arc::clone(&self.file);
        let metadata = self.folder.in_turn(move || file.metadata()).await?;
        let metadata = metadata.map_err(ContentError::Read)?;
        Ok(Identity::of(&metadata) == self.identity)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::digest::Digest;
    use super::*;

    fn is_kind<T>(found: Result<T, ContentError>) -> bool {
        matches!(found, Err(ContentError::Kind))
    }

    #[test]
    fn only_plain_files_inside_are_read() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("bundle"));
        let at = |name: Name| folder.path().join(name.to_string());
        let blob = Name::Blob(Digest::of(b""));
        assert!(matches!(
            folder.bytes(Name::Index),
            Err(ContentError::Missing)
        ));
        fs::create_dir_all(folder.path().join("blobs")).unwrap();
        fs::write(place.path().join("secret"), "secret").unwrap();
        symlink("../secret", at(Name::Index)).unwrap();
        assert!(is_kind(folder.read(Name::Index, 10)));
        fs::create_dir(at(Name::Layout)).unwrap();
        assert!(is_kind(folder.read(Name::Layout, 10)));
        // Not even a folder on the way may be elsewhere.
        fs::create_dir(place.path().join("sha256")).unwrap();
        symlink("../../sha256", folder.path().join("blobs/sha256")).unwrap();
        fs::write(at(blob), "secret").unwrap();
        assert!(is_kind(folder.bytes(blob)));
        fs::remove_file(folder.path().join("blobs/sha256")).unwrap();
        assert!(matches!(folder.bytes(blob), Err(ContentError::Missing)));
        fs::create_dir(folder.path().join("blobs/sha256")).unwrap();
        fs::write(at(blob), "inside").unwrap();
        assert_eq!(folder.read(blob, 6).unwrap(), b"inside");
        assert!(matches!(folder.read(blob, 5), Err(ContentError::Long(5))));
    }

    #[test]
    fn a_pipe_holds_nobody() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_owned());
        let pipe = folder.path().join(Name::Index.to_string());
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(is_kind(folder.read(Name::Index, 10)));
    }

    #[tokio::test]
    async fn a_file_is_read_in_pieces_and_known_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_owned());
        let path = folder.path().join(Name::Index.to_string());
        let piece = usize::try_from(PIECE).unwrap();
        fs::write(&path, vec![7; piece + 1]).unwrap();
        let opened = folder.opened(Name::Index).await.unwrap();
        let end = opened.identity().bytes();
        let length = |at, end| opened.piece(at, end, |bytes| bytes.len());
        assert_eq!(length(0, end).await.unwrap(), piece);
        assert_eq!(length(PIECE, end).await.unwrap(), 1);
        assert_eq!(length(3, 10).await.unwrap(), 7);
        assert!(length(0, PIECE).await.is_ok() && length(PIECE, end + 1).await.is_err());
        assert!(opened.is_the_same().await.unwrap());
        fs::write(&path, "other").unwrap();
        assert!(!opened.is_the_same().await.unwrap());
        assert_ne!(folder.identity(Name::Index).unwrap(), opened.identity());
    }
}
