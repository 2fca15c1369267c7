//! The folders of boots: a number each, with who began when, how it ended, and its logs.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use resources::runtime::Reboot;
use serde::{Deserialize, Serialize};

use super::JournalError;
use super::segments;

/// Boots that are remembered, with or without logs: a few hundred bytes each.
const REMEMBERED: usize = 20;

/// The file that says what a boot is; a folder without it is none.
const BEGAN: &str = "boot.json";
/// The file that says how it ended; without it, it did not end in order.
const ENDED: &str = "end.json";
/// A boot's folder while it is made.
const NEW: &str = "new";
/// What a kernel said that fell over, as a log.
const PANIC: &str = "panic";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Began {
    boot_id: String,
    began: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    at: Timestamp,
    clean: bool,
    reason: String,
}

/// What this machine tells of how the last boot ended, where nobody asked for it.
#[derive(Clone, Debug, Default)]
pub struct Boot {
    /// What the kernel calls the boot that runs.
    pub id: String,
    /// When it began.
    pub began: Option<Timestamp>,
    /// Where the firmware shows what a kernel left that fell over.
    pub pstore: PathBuf,
    /// The file in which a watchdog says whether it was the one that restarted the machine.
    pub watchdog: PathBuf,
}

/// The folder of boots, with that of the boot that runs.
#[derive(Debug)]
pub struct Boots {
    folder: PathBuf,
    current: u64,
}

impl Boots {
    /// Opens the folder: makes that of this boot, once, and says of the ones before how they ended.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn open(folder: &Path, boot: &Boot, now: Timestamp) -> Result<Self, JournalError> {
        let at = |error| JournalError::File(folder.to_owned(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(at)?;
        let known = known(folder).map_err(at)?;
        let found = known.iter().find(|(_, began)| began.boot_id == boot.id);
        let current = match found {
            Some((number, _)) => *number,
            None => {
                let last = known.keys().next_back().copied();
                if let Some(last) = last {
                    explain(&folder.join(last.to_string()), boot, now)?;
                }
                let number = last.unwrap_or_default() + 1;
                begin(folder, number, boot, now).map_err(at)?;
                number
            }
        };
        let spare = known.len().saturating_sub(REMEMBERED);
        for number in known.keys().take(spare) {
            fs::remove_dir_all(folder.join(number.to_string())).map_err(at)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            current,
        })
    }

    /// The number of the boot that runs.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.current
    }

    /// Its folder.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        self.folder.join(self.current.to_string())
    }

    /// The folder of all of them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says that this boot ends in order, and why. When it returns, that survives the end.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn end(&self, reason: &str, now: Timestamp) -> Result<(), JournalError> {
        let ended = Ended {
            at: now,
            clean: true,
            reason: reason.to_owned(),
        };
        let path = self.place().join(ENDED);
        write(&self.place(), ENDED, &ended).map_err(JournalError::at(path))
    }

    /// All that are remembered.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn all(&self) -> Result<Vec<Reboot>, JournalError> {
        let known = known(&self.folder).map_err(JournalError::at(&self.folder))?;
        let boots = known.into_iter().map(|(number, began)| {
            let ended = read::<Ended>(&self.folder.join(number.to_string()).join(ENDED));
            let ended = ended.filter(|_| number != self.current);
            Reboot {
                number,
                boot_id: began.boot_id,
                began: began.began,
                ended: ended.as_ref().map(|it| it.at),
                clean: ended.as_ref().is_some_and(|it| it.clean),
                reason: match ended {
                    Some(ended) => ended.reason,
                    None if number == self.current => "runs now".to_owned(),
                    None => String::new(),
                },
            }
        });
        Ok(boots.collect())
    }
}

/// Every boot's number and beginning.
fn known(folder: &Path) -> io::Result<BTreeMap<u64, Began>> {
    let mut known = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
        let began = read(&entry.path().join(BEGAN));
        if let (Some(number), Some(began)) = (number, began) {
            known.insert(number, began);
        }
    }
    Ok(known)
}

/// Makes a boot's folder, whole or not at all.
fn begin(folder: &Path, number: u64, boot: &Boot, now: Timestamp) -> io::Result<()> {
    let new = folder.join(NEW);
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&new)?;
    let began = Began {
        boot_id: boot.id.clone(),
        began: boot.began.unwrap_or(now),
    };
    write(&new, BEGAN, &began)?;
    let place = folder.join(number.to_string());
    // What a cut left that could not be read is in the way, and nothing is lost with it.
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(new, place)?;
    File::open(folder)?.sync_all()
}

/// Says how a boot ended that did not say so itself.
fn explain(place: &Path, boot: &Boot, now: Timestamp) -> Result<(), JournalError> {
    if read::<Ended>(&place.join(ENDED)).is_some() {
        return Ok(());
    }
    let (reason, left) = match harvest(place, &boot.pstore)? {
        Some((line, left)) => (format!("the kernel fell over: {line}"), left),
        None => (fell_silent(&boot.watchdog).to_owned(), Vec::new()),
    };
    let at = last_written(place).unwrap_or(now);
    let ended = Ended {
        at,
        clean: false,
        reason,
    };
    write(place, ENDED, &ended).map_err(JournalError::at(place.join(ENDED)))?;
    for path in left {
        // What is left of it there would pass for the next one's.
        fs::remove_file(&path).map_err(JournalError::at(path))?;
    }
    Ok(())
}

fn fell_silent(watchdog: &Path) -> &'static str {
    // WDIOF_CARDRESET of linux/watchdog.h: it was the watchdog.
    const CARD_RESET: u32 = 0x20;
    let status = fs::read_to_string(watchdog).unwrap_or_default();
    let status: u32 = status.trim().parse().unwrap_or_default();
    if status & CARD_RESET != 0 {
        return "the watchdog restarted a machine that no longer answered";
    }
    "no orderly end: the power was cut, or the machine was reset"
}

/// Copies what a kernel left that fell over; its last words, and the files to remove.
fn harvest(place: &Path, pstore: &Path) -> Result<Option<(String, Vec<PathBuf>)>, JournalError> {
    let entries = fs::read_dir(pstore).into_iter().flatten().flatten();
    let mut left: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("dmesg-") && !name.ends_with(".enc.z")
        })
        .collect();
    // Parts are numbered from the last one back.
    left.sort();
    left.reverse();
    let mut text = Vec::new();
    for path in &left {
        text.extend(fs::read(path).map_err(JournalError::at(path))?);
    }
    if text.is_empty() {
        return Ok(None);
    }
    let file = segments::file(PANIC, 0);
    whole(place, &file, &text).map_err(JournalError::at(place.join(&file)))?;
    let text = String::from_utf8_lossy(&text);
    let telling = |line: &&str| {
        line.contains("Kernel panic") || line.contains("BUG:") || line.contains("Oops")
    };
    let line = text.lines().find(telling).or_else(|| text.lines().next());
    let line = line.unwrap_or_default();
    // `<2>[   12.345678] text`.
    let line = line.rsplit_once("] ").map_or(line, |(_, text)| text);
    Ok(Some((line.to_owned(), left)))
}

/// When the last of a boot's logs was written.
fn last_written(place: &Path) -> Option<Timestamp> {
    let entries = fs::read_dir(place).ok()?.flatten();
    let times = entries.filter_map(|entry| entry.metadata().ok()?.modified().ok());
    Timestamp::try_from(times.max()?).ok()
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write(folder: &Path, file: &str, value: &impl Serialize) -> io::Result<()> {
    whole(folder, file, &serde_json::to_vec(value)?)
}

/// Writes a file whole or not at all, so that it survives a power cut once this returns.
fn whole(folder: &Path, file: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{file}.new"));
    let mut options = OpenOptions::new();
    let mut opened = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    opened.write_all(bytes)?;
    opened.sync_all()?;
    fs::rename(new, folder.join(file))?;
    File::open(folder)?.sync_all()
}
