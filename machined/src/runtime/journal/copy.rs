//! Copies logs from memory to disk, from where the copy ends.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::JournalError;
use super::boots::Boots;
use super::kernel::Kernel;
use super::rotate::{Limits, Part, plan};
use super::segments::{self, Segment};
use crate::runtime::logs::Logs;

/// Where a part of a log ends and the next begins: what is removed at once when there is too much.
pub(super) const PART: u64 = 2 << 20;

/// The log of the kernel.
pub const KERNEL: &str = "kernel";

/// Copies.
#[derive(Debug)]
pub(super) struct Copier {
    boots: Boots,
    limits: Limits,
    kernel: Option<Kernel>,
    /// Files with lines that a power cut would take.
    unsafe_yet: BTreeSet<PathBuf>,
}

impl Copier {
    pub(super) fn new(boots: Boots, kernel: Option<Kernel>) -> Result<Self, JournalError> {
        let folder = boots.folder();
        let filesystem = statvfs(folder).map_err(|errno| JournalError::at(folder)(errno.into()))?;
        let limits = Limits::of(
            filesystem
                .blocks()
                .saturating_mul(filesystem.fragment_size()),
        );
        let copier = Self {
            boots,
            limits,
            kernel,
            unsafe_yet: BTreeSet::new(),
        };
        copier.rotate()?;
        Ok(copier)
    }

    pub(super) fn boots(&self) -> &Boots {
        &self.boots
    }

    /// Copies what has been said since the last time. The first error is given when all others have been tried.
    pub(super) fn copy(&mut self, logs: &Logs) -> Result<(), JournalError> {
        let place = self.boots.place();
        let parts = segments::all(&place).map_err(JournalError::at(&place))?;
        let last = |name: &str| parts.iter().rfind(|part| part.name == name).cloned();
        let mut first = Ok(());
        let mut begun = false;
        for name in logs.services() {
            let mut writer = Writer::new(&place, &name, last(&name), &mut self.unsafe_yet);
            let copied = copy_one(logs, &name, &mut writer);
            begun |= writer.begun;
            first = first.and(copied);
        }
        if let Some(kernel) = &mut self.kernel {
            let last = last(KERNEL);
            let mut writer = Writer::new(&place, KERNEL, last, &mut self.unsafe_yet);
            let copied = kernel.copy(&mut writer);
            begun |= writer.begun;
            first = first.and(copied);
        }
        if begun {
            first = first.and(self.rotate());
        }
        first
    }

    /// Has the disk keep what was copied, also if the power is cut.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        for path in std::mem::take(&mut self.unsafe_yet) {
            match File::open(&path).and_then(|file| file.sync_data()) {
                // It had to go since, to make room.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced.map_err(JournalError::at(path))?,
            }
        }
        Ok(())
    }

    fn rotate(&self) -> Result<(), JournalError> {
        let mut parts: Vec<Part> = Vec::new();
        for boot in self.boots.all()? {
            let folder = self.boots.folder().join(boot.number.to_string());
            let of = segments::all(&folder).map_err(JournalError::at(&folder))?;
            parts.extend(of.into_iter().map(|part| (boot.number, part)));
        }
        for (boot, part) in plan(&parts, self.boots.current(), self.limits) {
            let path = self.boots.folder().join(boot.to_string()).join(part.file());
            fs::remove_file(&path).map_err(JournalError::at(path))?;
        }
        Ok(())
    }
}

fn copy_one(logs: &Logs, name: &str, writer: &mut Writer<'_>) -> Result<(), JournalError> {
    let mut reader = logs
        .open_at(name, writer.end())
        .map_err(JournalError::Memory)?;
    while let Some((at, chunk)) = reader.next_piece().map_err(JournalError::Memory)? {
        writer.write(at, &chunk)?;
    }
    Ok(())
}

/// Writes the end of one log.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    place: &'a Path,
    name: &'a str,
    last: Option<Segment>,
    open: Option<File>,
    unsafe_yet: &'a mut BTreeSet<PathBuf>,
    /// Whether a new part was begun.
    begun: bool,
}

impl<'a> Writer<'a> {
    fn new(
        place: &'a Path,
        name: &'a str,
        last: Option<Segment>,
        unsafe_yet: &'a mut BTreeSet<PathBuf>,
    ) -> Self {
        Self {
            place,
            name,
            last,
            open: None,
            unsafe_yet,
            begun: false,
        }
    }

    /// Where the log on disk ends.
    pub(super) fn end(&self) -> u64 {
        self.last.as_ref().map_or(0, Segment::end)
    }

    /// The file that it ends in.
    pub(super) fn last_file(&self) -> Option<PathBuf> {
        self.last.as_ref().map(|last| self.place.join(last.file()))
    }

    /// Writes what the log has at a place, which is its end unless something has been lost in between.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let fits = self
            .last
            .as_ref()
            .filter(|last| last.end() == at && last.bytes < PART);
        if fits.is_none() {
            self.open = None;
            self.last = Some(Segment {
                name: self.name.to_owned(),
                start: at,
                bytes: 0,
            });
            self.begun = true;
        }
        let Some(last) = &mut self.last else {
            return Ok(());
        };
        let path = self.place.join(last.file());
        let file = match &mut self.open {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                let opened = options.append(true).create(true).mode(0o600).open(&path);
                self.open.insert(opened.map_err(JournalError::at(&path))?)
            }
        };
        let written = file.write_all(bytes);
        // However much of it was written: the next look at the folder tells.
        self.unsafe_yet.insert(path.clone());
        last.bytes += bytes.len() as u64;
        written.map_err(JournalError::at(path))
    }
}
