//! Reads the logs of the boot before this one.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::JournalError;
use super::segments::{self, Segment};

/// What is read at once: what one message carries.
const CHUNK: u64 = ::api::MAX_CHUNK as u64;

/// A log of the boot before, part after part.
#[derive(Debug)]
pub struct Previous {
    place: PathBuf,
    parts: VecDeque<Segment>,
    open: Option<File>,
}

impl Previous {
    /// Opens a log of the boot before `current`, in the folder of boots.
    ///
    /// # Errors
    /// There was no boot before, or it had no such log.
    pub fn open(folder: &Path, current: u64, name: &str) -> Result<Self, JournalError> {
        let boot = former(folder, current).ok_or(JournalError::NoFormer)?;
        let place = folder.join(boot.to_string());
        let all = segments::all(&place).map_err(JournalError::at(&place))?;
        let mut known: Vec<_> = all.iter().map(|part| part.name.clone()).collect();
        known.dedup();
        let parts: VecDeque<_> = all.into_iter().filter(|part| part.name == name).collect();
        if parts.is_empty() {
            return Err(JournalError::Unknown {
                boot,
                name: name.to_owned(),
                known: known.join(", "),
            });
        }
        Ok(Self {
            place,
            parts,
            open: None,
        })
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, JournalError> {
        loop {
            if let Some(file) = &mut self.open {
                let mut chunk = Vec::new();
                let read = file.take(CHUNK).read_to_end(&mut chunk);
                read.map_err(JournalError::at(&self.place))?;
                if !chunk.is_empty() {
                    return Ok(Some(chunk));
                }
            }
            let Some(part) = self.parts.pop_front() else {
                return Ok(None);
            };
            let path = self.place.join(part.file());
            self.open = Some(File::open(&path).map_err(JournalError::at(path))?);
        }
    }

    /// The last lines, no more than there are.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn tail(self, lines: u32) -> Result<Vec<u8>, JournalError> {
        let most = usize::try_from(lines).unwrap_or(usize::MAX);
        let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
        for part in &self.parts {
            let path = self.place.join(part.file());
            let file = File::open(&path).map_err(JournalError::at(&path))?;
            for line in BufReader::new(file).split(b'\n') {
                kept.push_back(line.map_err(JournalError::at(&path))?);
                if kept.len() > most {
                    kept.pop_front();
                }
            }
        }
        let ended = kept.into_iter().map(|line| [line, vec![b'\n']].concat());
        Ok(ended.flatten().collect())
    }
}

/// The number of the newest boot before this one.
fn former(folder: &Path, current: u64) -> Option<u64> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    numbers.filter(|number| *number < current).max()
}
