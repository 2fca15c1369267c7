//! The few things asked of a folder, so that the order of the steps can be tested against power
//! cuts without a disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most that is read of one file: what the reader takes, and a byte to notice that there is
/// more.
const MOST: u64 = config::MAX_BYTES as u64 + 1;

/// The content of a file, as much of it as a config may be and a byte.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A folder of small files.
pub trait Files {
    /// The names of all files.
    ///
    /// # Errors
    /// What the system says.
    fn names(&self) -> io::Result<Vec<String>>;

    /// The content of a file.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Writes a file, old content gone; when it returns the content survives a power cut, the
    /// name may not.
    ///
    /// # Errors
    /// What the system says; the content is then anything.
    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name, at once and over any other file of that name.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// When it returns, all names survive a power cut.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder that only root reads, for as long as its file system is mounted.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    /// The file system it was found on. Where a volume was unmounted, the same path leads into one that keeps nothing.
    device: u64,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("make the folder {}", folder.display())]
pub struct DiskError {
    folder: PathBuf,
    #[source]
    source: io::Error,
}

impl Disk {
    /// Uses a folder, made if it is not there; its own name then survives a power cut.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, DiskError> {
        let open = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            if let Some(above) = folder.parent() {
                File::open(above)?.sync_all()?;
            }
            fs::metadata(folder).map(|it| it.dev())
        };
        let device = open().map_err(|source| DiskError {
            folder: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            device,
        })
    }

    fn folder(&self) -> io::Result<&Path> {
        if fs::metadata(&self.folder)?.dev() != self.device {
            return Err(io::Error::other("its volume is no longer mounted"));
        }
        Ok(&self.folder)
    }
}

impl Files for Disk {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder()?)? {
            // A name that is no UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        read(&self.folder()?.join(name))
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.folder()?.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder()?.join(from), self.folder()?.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder()?.join(name))
    }

    fn sync(&mut self) -> io::Result<()> {
        File::open(self.folder()?)?.sync_all()
    }
}
