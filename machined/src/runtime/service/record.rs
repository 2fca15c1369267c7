//! What is kept of a service across the death of this daemon: a small file each, in memory, as the service itself ends with
//! the machine.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::Name;
use super::seen::Seen;

/// A process so that no other can be taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Its number.
    pub(super) pid: u32,
    /// When it started, in ticks since the machine's boot, as the kernel counts.
    pub(super) started: u64,
}

impl Mark {
    /// The process that has a number now; `None` when there is none.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let number = i32::try_from(pid).ok()?;
        let stat = procfs::process::Process::new(number).ok()?.stat().ok()?;
        Some(Self {
            pid,
            started: stat.starttime,
        })
    }
}

/// The image that a service was started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    /// As its spec has it.
    pub(super) reference: String,
    /// The digest by which its registry knows it.
    pub(super) digest: String,
    /// What containerd calls the view of it, which must stay as long as this.
    pub(super) key: String,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// How it was seen last.
    pub(super) seen: Seen,
    /// Its main process.
    pub(super) main: Option<Mark>,
    /// What was last told of it, and since when: a state, and a time.
    pub(super) told: Option<(String, Timestamp)>,
    /// The mark of the variables for all services that it was started with; absent when nobody knows.
    pub(super) variables: Option<String>,
    /// How many processes of its group the kernel had killed for memory when it was started.
    #[serde(default)]
    pub(super) starved: u64,
    /// The image whose root there is, or may be.
    #[serde(default)]
    pub(super) image: Option<Started>,
}

/// The folder of records, which only root reads.
#[derive(Debug)]
pub(super) struct Records {
    folder: PathBuf,
}

impl Records {
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        Ok(Self { folder })
    }

    /// The file that is locked while a service is being started: the new process holds the lock until it is its program,
    /// also when this one is no more.
    pub(super) fn lock(&self) -> PathBuf {
        self.folder.join("starting.lock")
    }

    /// All there are. One that cannot be read is as good as none: its processes are found by their group.
    pub(super) fn all(&self) -> io::Result<Vec<(Name, Record)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name
                .to_str()
                .and_then(|it| it.strip_suffix(".json")?.parse().ok());
            let Some(name) = name else { continue };
            match serde_json::from_slice(&fs::read(entry.path())?) {
                Ok(record) => all.push((name, record)),
                Err(error) => tracing::error!(service = %name, %error, "its record cannot be read"),
            }
        }
        Ok(all)
    }

    /// Keeps a record, in place of what was kept before: whole or not at all, whenever this process is killed.
    pub(super) fn keep(&self, name: &Name, record: &Record) -> io::Result<()> {
        let text = serde_json::to_vec(record)?;
        let new = self.folder.join(format!("{name}.new"));
        fs::write(&new, text)?;
        fs::rename(new, self.path(name))
    }

    pub(super) fn forget(&self, name: &Name) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}
