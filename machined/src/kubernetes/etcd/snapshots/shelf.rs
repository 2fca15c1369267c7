//! The folder of the snapshots that a node keeps.
//!
//! Each is a file with its number and its time as its name, and all else that is to be known of it stands in it. A file has its
//! name when it is whole and on the disk; what has another one is none, and is left alone but for what a life before did not
//! finish. Power may go at any line here.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use ::etcd::{Check, Database, DatabaseError, NoSnapshot};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use nix::sys::statvfs::statvfs;
use resources::kubernetes::EtcdSnapshot;
use thiserror::Error;

use super::plan::Kept;

/// Where they are. `osctl reset` empties it with the rest of the disk; etcd's own data comes and goes without it.
pub const FOLDER: &str = "/var/lib/garboard/etcd-snapshots";

/// How the time of a snapshot stands in its name.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// What is not whole: with a number, so that none is ever taken for one that a task before this one still writes.
const UNFINISHED: &str = ".unfinished-";
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// The sum behind the data.
const SUM: u64 = 32;

/// Why a snapshot is not kept, or not found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShelfError {
    /// The disk.
    #[error("{action} {}", path.display())]
    Disk {
        /// What was done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What came from etcd is none.
    #[error(transparent)]
    Snapshot(#[from] NoSnapshot),
    /// Or nobody can read it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ShelfError {
    move |source| ShelfError::Disk {
        action,
        path: path.to_owned(),
        source,
    }
}

/// What a snapshot is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Its place in the order that they were taken in.
    pub number: u64,
    /// When that was, in seconds.
    pub taken: Timestamp,
}

/// Why a text is no name.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no name of a snapshot; `osctl etcd snapshots` lists them")]
pub struct NameError(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.taken.strftime(TIME);
        write!(f, "{:06}-{taken}", self.number)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parsed = text.split_once('-').and_then(|(number, taken)| {
            let taken = DateTime::strptime(TIME, taken).ok()?;
            let taken = taken.to_zoned(TimeZone::UTC).ok()?.timestamp();
            let number = number.parse().ok()?;
            Some(Self { number, taken })
        });
        // In one spelling alone, which is that of a file.
        let exact = parsed.filter(|it| it.to_string() == text);
        exact.ok_or_else(|| NameError(text.to_owned()))
    }
}

impl From<Name> for Kept {
    fn from(name: Name) -> Self {
        let Name { number, taken } = name;
        Self { number, taken }
    }
}

/// The folder, and what is known of the files in it.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    known: BTreeMap<Name, EtcdSnapshot>,
}

impl Shelf {
    /// Keeps snapshots in a folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            known: BTreeMap::new(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a snapshot is.
    #[must_use]
    pub fn path(&self, name: Name) -> PathBuf {
        self.folder.join(name.to_string())
    }

    /// Looks which there are; each is read once. No folder is an empty one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look(&mut self) -> Result<&BTreeMap<Name, EtcdSnapshot>, ShelfError> {
        let reading = failed("reading", &self.folder);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>().map_err(reading)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(reading(error)),
        };
        let names = entries.iter().map(fs::DirEntry::file_name);
        let names = names.filter_map(|name| name.to_str()?.parse::<Name>().ok());
        let mut known = BTreeMap::new();
        for name in names {
            let row = match self.known.remove(&name) {
                Some(row) if row.problem.is_empty() => row,
                _ => described(name, &self.path(name)),
            };
            known.insert(name, row);
        }
        self.known = known;
        Ok(&self.known)
    }

    /// Takes snapshots away.
    ///
    /// # Errors
    /// One stays.
    pub fn remove(&mut self, numbers: &[u64]) -> Result<(), ShelfError> {
        let gone: Vec<_> = self.known.keys().copied().collect();
        for name in gone.into_iter().filter(|it| numbers.contains(&it.number)) {
            let path = self.path(name);
            fs::remove_file(&path).map_err(failed("removing", &path))?;
            tracing::info!(snapshot = %name, "the oldest snapshot of etcd is removed");
            self.known.remove(&name);
        }
        Ok(())
    }

    /// What the next one is called, when it is taken now.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Name {
        let numbers = self.known.keys().map(|it| it.number);
        Name {
            number: numbers.max().unwrap_or(0).saturating_add(1),
            taken: Timestamp::from_second(now.as_second()).unwrap_or(now),
        }
    }
}

/// What a file says of itself.
fn described(name: Name, path: &Path) -> EtcdSnapshot {
    let mut row = EtcdSnapshot {
        taken: name.taken.to_string(),
        ..EtcdSnapshot::default()
    };
    if let Err(error) = describe(&mut row, path) {
        row.problem = cosi::report(&error);
    }
    row
}

fn describe(row: &mut EtcdSnapshot, path: &Path) -> Result<(), ShelfError> {
    let reading = || failed("reading", path);
    let mut file = File::open(path).map_err(reading())?;
    row.bytes = file.metadata().map_err(reading())?.len();
    let data = row.bytes.checked_sub(SUM);
    let data = data.ok_or(NoSnapshot::Length(row.bytes))?;
    let mut sum = Vec::new();
    let read = file.seek(SeekFrom::Start(data));
    let read = read.and_then(|_| file.read_to_end(&mut sum));
    read.map_err(reading())?;
    row.sha256 = HEXLOWER.encode(&sum);
    let database = Database::read(file)?;
    row.revision = database.revision;
    row.version = database
        .version
        .map_or_else(String::new, |it| it.to_string());
    Ok(())
}

/// How many bytes of the disk that a folder is on are free, for whoever is not root: those that are kept for root are there for a
/// disk that is full.
///
/// # Errors
/// The disk does not say.
pub fn free(folder: &Path) -> Result<u64, ShelfError> {
    let found = statvfs(folder)
        .map_err(|errno| failed("asking for the free space of", folder)(errno.into()));
    let found = found?;
    Ok(found
        .blocks_available()
        .saturating_mul(found.fragment_size()))
}

/// Makes the folder, and takes away what was not finished.
///
/// # Errors
/// It cannot be made or read.
pub fn prepare(folder: &Path) -> Result<(), ShelfError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(failed("making", folder))?;
    let entries = fs::read_dir(folder).map_err(failed("reading", folder))?;
    for entry in entries {
        let entry = entry.map_err(failed("reading", folder))?;
        if entry
            .file_name()
            .to_str()
            .is_some_and(|it| it.starts_with(UNFINISHED))
        {
            let path = entry.path();
            fs::remove_file(&path).map_err(failed("removing", &path))?;
        }
    }
    Ok(())
}

/// A snapshot on its way in. Nothing is left of one that is dropped before its end.
#[derive(Debug)]
pub struct Unfinished {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    check: Check,
}

impl Unfinished {
    /// Begins one in a folder that is prepared.
    ///
    /// # Errors
    /// The disk takes none.
    pub fn begin(folder: &Path) -> Result<Self, ShelfError> {
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{UNFINISHED}{number}"));
        let mut options = OpenOptions::new();
        // Secrets are in it, and it has to be read again at its end.
        options.read(true).write(true).create_new(true).mode(0o600);
        Ok(Self {
            folder: folder.to_owned(),
            file: options.open(&path).map_err(failed("writing", &path))?,
            path,
            check: Check::default(),
        })
    }

    /// Takes what comes next.
    ///
    /// # Errors
    /// It can be no snapshot, or the disk does not take it.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), ShelfError> {
        self.check.take(bytes)?;
        let written = self.file.write_all(bytes);
        written.map_err(failed("writing", &self.path))
    }

    /// Gives it its name, when all of it came and is on the disk.
    ///
    /// # Errors
    /// It is no whole snapshot, nothing that etcd could read, or not on the disk. It has no name, then.
    pub fn end(mut self, name: Name) -> Result<(), ShelfError> {
        std::mem::take(&mut self.check).end()?;
        let writing = || failed("writing", &self.path);
        self.file.sync_all().map_err(writing())?;
        Database::read(&self.file)?;
        fs::rename(&self.path, self.folder.join(name.to_string())).map_err(writing())?;
        let synced = File::open(&self.folder).and_then(|it| it.sync_all());
        synced.map_err(failed("writing", &self.folder))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It has another name by then, or whatever went wrong is what matters.
        drop(fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests;
