//! Logs of services: one file each, kept small, read and followed.
//!
//! `init` opens a service's file for appending and hands it over as standard output, so a service keeps its log across
//! a crash of this daemon. Old lines are cut off by punching a hole at the beginning of the file: nothing is copied,
//! no line is lost, and a place in the file stays the same place. What is left of the line at the cut is passed over.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::unistd::{Whence, lseek};
use thiserror::Error;
use tokio::io::unix::AsyncFd;

/// How much of a service's log is kept: it lies in memory under `/run`.
pub const KEEP: u64 = 1024 * 1024;

/// How much of a file is read at once: what one message carries.
const CHUNK: u64 = ::api::MAX_CHUNK as u64;

/// Holes have the size of whole pages.
const PAGE: u64 = 4096;

/// Why a log could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// No such service has a log.
    #[error("no log of a service named {name:?}; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A file could not be read or cut.
    #[error("log file {0}")]
    File(PathBuf, #[source] io::Error),
    /// The kernel refused to watch a file.
    #[error("watching log file {0}")]
    Watch(PathBuf, #[source] io::Error),
}

/// The folder of logs.
#[derive(Clone, Debug)]
pub struct Logs {
    folder: PathBuf,
}

impl Logs {
    /// Logs in `folder`, files named `SERVICE.log`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The services that have a log, by name.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()?
                    .strip_suffix(".log")
                    .map(str::to_owned)
            })
            .collect();
        names.sort();
        names
    }

    /// Opens a service's log at the last `lines` lines, or at its beginning.
    ///
    /// # Errors
    /// [`LogError::Unknown`] names the services there are.
    pub fn open(&self, service: &str, lines: Option<u32>) -> Result<Reader, LogError> {
        let path = self.path(service)?;
        let opened = || {
            let file = File::open(&path)?;
            let end = file.metadata()?.len();
            let offset = match lines {
                None => 0,
                Some(lines) => start_of_last(&file, end, lines)?,
            };
            Ok((file, offset, end))
        };
        let (file, offset, end) =
            opened().map_err(|source| LogError::File(path.clone(), source))?;
        Ok(Reader {
            path,
            file,
            offset,
            end,
        })
    }

    /// Opens a service's log at a place.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(&self, service: &str, offset: u64) -> Result<Reader, LogError> {
        let reader = self.open(service, None)?;
        Ok(Reader { offset, ..reader })
    }

    /// Cuts every file that has grown past [`KEEP`].
    ///
    /// # Errors
    /// The first file that could not be cut; the others have been.
    pub fn cut(&self) -> Result<(), LogError> {
        let mut first = Ok(());
        for service in self.services() {
            let path = self.folder.join(format!("{service}.log"));
            let done = cut(&path, KEEP).map_err(|source| LogError::File(path, source));
            first = first.and(done);
        }
        first
    }

    fn path(&self, service: &str) -> Result<PathBuf, LogError> {
        let known = self.services();
        if known.iter().any(|name| name == service) {
            return Ok(self.folder.join(format!("{service}.log")));
        }
        Err(LogError::Unknown {
            name: service.to_owned(),
            known: if known.is_empty() {
                "none yet".to_owned()
            } else {
                known.join(", ")
            },
        })
    }
}

/// Gives back what is more than `keep` bytes before the end.
fn cut(path: &Path, keep: u64) -> io::Result<()> {
    let length = fs::metadata(path)?.len();
    let hole = length.saturating_sub(keep) / PAGE * PAGE;
    if hole == 0 {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(path)?;
    if data_from(&file, 0)?.is_none_or(|begin| begin >= hole) {
        return Ok(());
    }
    let hole = i64::try_from(hole).map_err(io::Error::other)?;
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(&file, flags, 0, hole).map_err(io::Error::from)
}

/// Where there is data at or after `offset`; `None` when there is none up to the end.
fn data_from(file: &File, offset: u64) -> io::Result<Option<u64>> {
    let offset = i64::try_from(offset).map_err(io::Error::other)?;
    match lseek(file, offset, Whence::SeekData) {
        Ok(found) => Ok(u64::try_from(found).ok()),
        Err(Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// The bytes from `from` to `to`; fewer only when the file has become shorter.
fn bytes(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Where the last `lines` lines before `end` begin; 0 when there are no more.
fn start_of_last(file: &File, end: u64, lines: u32) -> io::Result<u64> {
    let begin = data_from(file, 0)?.unwrap_or(end).min(end);
    let (mut found, mut at) = (0, end);
    while at > begin && lines > 0 {
        let from = at.saturating_sub(CHUNK).max(begin);
        for (index, byte) in bytes(file, from, at)?.iter().enumerate().rev() {
            let after = from + index as u64 + 1;
            // What follows the last line's end is no line.
            if *byte == b'\n' && after != end {
                found += 1;
                if found == lines {
                    return Ok(after);
                }
            }
        }
        at = from;
    }
    Ok(if lines == 0 { end } else { 0 })
}

/// Reads a log from a place on.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
    offset: u64,
    /// Where the file ended when it was opened.
    end: u64,
}

impl Reader {
    /// The next bytes; `None` where the log ended when it was opened.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_ready(&mut self) -> Result<Option<Vec<u8>>, LogError> {
        while self.offset < self.end {
            let chunk = self.read(self.end)?;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// The next bytes and their place in the log, for copies: nothing is left out but what was cut off before they were
    /// read. `None` where the log ended when it was opened.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_piece(&mut self) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        let failed = |source| LogError::File(self.path.clone(), source);
        let begin = data_from(&self.file, self.offset).map_err(failed)?;
        let Some(begin) = begin.filter(|begin| *begin < self.end) else {
            return Ok(None);
        };
        let limit = self.end.min(begin + CHUNK);
        let chunk = bytes(&self.file, begin, limit).map_err(failed)?;
        self.offset = begin + chunk.len() as u64;
        Ok((!chunk.is_empty()).then_some((begin, chunk)))
    }

    /// Goes on with what is written after the end.
    ///
    /// # Errors
    /// The file cannot be watched.
    pub fn follow(self) -> Result<Follower, LogError> {
        let watching = |source: io::Error| LogError::Watch(self.path.clone(), source);
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .map_err(|errno| watching(errno.into()))?;
        inotify
            .add_watch(&self.path, AddWatchFlags::IN_MODIFY)
            .map_err(|errno| watching(errno.into()))?;
        let changes = super::readable(Changes(inotify)).map_err(watching)?;
        Ok(Follower {
            reader: self,
            changes,
        })
    }

    /// Reads up to `limit` at most; nothing only where there is nothing up to there.
    fn read(&mut self, limit: u64) -> Result<Vec<u8>, LogError> {
        let failed = |source| LogError::File(self.path.clone(), source);
        let Some(begin) = data_from(&self.file, self.offset).map_err(failed)? else {
            self.offset = limit;
            return Ok(Vec::new());
        };
        let cut = begin > self.offset;
        let chunk = bytes(&self.file, begin, limit.min(begin + CHUNK)).map_err(failed)?;
        self.offset = begin + chunk.len() as u64;
        if !cut {
            return Ok(chunk);
        }
        let partial = chunk
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(chunk.len(), |at| at + 1);
        Ok(chunk.get(partial..).unwrap_or_default().to_vec())
    }
}

/// What the kernel tells of a file's changes, in the form the runtime watches.
#[derive(Debug)]
struct Changes(Inotify);

impl AsRawFd for Changes {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Reads what is in a log and what is written to it.
#[derive(Debug)]
pub struct Follower {
    reader: Reader,
    changes: AsyncFd<Changes>,
}

impl Follower {
    /// The next bytes, waiting for them. Cancel-safe: the place moves only when bytes are returned.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub async fn next(&mut self) -> Result<Vec<u8>, LogError> {
        loop {
            let reader = &mut self.reader;
            let end = reader.file.metadata().map(|metadata| metadata.len());
            reader.end = end.map_err(|source| LogError::File(reader.path.clone(), source))?;
            if let Some(chunk) = reader.next_ready()? {
                return Ok(chunk);
            }
            let watching = |source| LogError::Watch(self.reader.path.clone(), source);
            let mut ready = self.changes.readable().await.map_err(watching)?;
            // What the events say does not matter, only that there were some.
            while self.changes.get_ref().0.read_events().is_ok() {}
            ready.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests;
