//! What a power cut can leave on a disk, found from a record of what was written to it.
//!
//! A disk that is recorded has every write, discard and flush in a second file, in the order in which they were done
//! ([`Entry`]). From that any moment can be rebuilt in which the power might have gone: what had been done before the last
//! flush that was done is on the disk, and of what was done later, any part of it, by single sectors. [`Recorded`] makes
//! such images; the same seed makes the same ones.
//!
//! The record cannot tell what the machine did while a flush was under way; it counts as flushed. So an image holds now and
//! then a little more than a real disk had to keep, and never less: a node that fails on one would fail on a real disk.

mod luck;
mod record;
mod replay;

use std::fmt;
use std::fs::File;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{FallocateFlags, fallocate};

pub use record::{Entry, count};
pub use replay::Piece;

use luck::Luck;

/// Everything that was done to a disk that was full of zeros at first.
#[derive(Debug)]
pub struct Recorded<'a> {
    size: u64,
    entries: Vec<Entry<'a>>,
}

/// A moment in which the power goes, and how the disk takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// So many entries of the record had been done.
    pub after: usize,
    /// Chooses what of them is on the disk, where that is not certain.
    pub seed: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the cut after entry {} with seed {}",
            self.after, self.seed
        )
    }
}

impl<'a> Recorded<'a> {
    /// Reads a record of a disk of so many bytes.
    ///
    /// # Errors
    /// When it is damaged, or no record of such a disk.
    pub fn parse(bytes: &'a [u8], size: u64) -> Result<Self> {
        let entries = record::parse(bytes, size)?;
        Ok(Self { size, entries })
    }

    /// What was done, in order.
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// So many moments of which none is before the first or after the last of these numbers of entries. Every time between
    /// two flushes is as likely as every other, however much was written in it; half of them are right before a flush is
    /// done, when most is uncertain.
    pub fn cuts(&self, between: RangeInclusive<usize>, count: usize, seed: u64) -> Vec<Cut> {
        let end = self.entries.len().min(*between.end());
        let from = end.min(*between.start());
        let flushes = self.entries.iter().enumerate();
        let flushes = flushes.filter(|(_, entry)| entry.flushes());
        let mut ends: Vec<usize> = flushes.map(|(number, _)| number).collect();
        ends.retain(|number| (from..end).contains(number));
        ends.push(end);
        let mut luck = Luck::new(seed);
        let mut cut = || {
            let chosen = luck.below(ends.len());
            let last = ends.get(chosen).copied().unwrap_or(end);
            let before = chosen.checked_sub(1).and_then(|before| ends.get(before));
            let first = before.map_or(from, |before| before + 1).min(last);
            let early = luck.below(2) == 0;
            let after = if early {
                first + luck.below(last - first + 1)
            } else {
                last
            };
            let seed = luck.next();
            Cut { after, seed }
        };
        (0..count).map(|_| cut()).collect()
    }

    /// What to write to a disk full of zeros, in order, to have what a cut leaves.
    pub fn pieces(&self, cut: Cut) -> Vec<Piece<'a>> {
        let done = self.entries.get(..cut.after).unwrap_or(&self.entries);
        replay::pieces(done, &mut Luck::new(cut.seed))
    }

    /// Makes a file what a cut leaves. The file has only what was written, as the disk's own has.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn image(&self, cut: Cut, file: &Path) -> Result<()> {
        write(file, self.size, &self.pieces(cut))
            .with_context(|| format!("making {}", file.display()))
    }

    /// Makes a file what the disk was in the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn last(&self, file: &Path) -> Result<()> {
        let pieces: Vec<_> = self.entries.iter().filter_map(Entry::whole).collect();
        write(file, self.size, &pieces).with_context(|| format!("making {}", file.display()))
    }
}

fn write(file: &Path, size: u64, pieces: &[Piece<'_>]) -> Result<()> {
    let file = File::create(file)?;
    file.set_len(size)?;
    for piece in pieces {
        match *piece {
            Piece::Data { at, data } if data.iter().any(|byte| *byte != 0) => {
                file.write_all_at(data, at)?;
            }
            Piece::Data { at, data } => clear(&file, at, u64::try_from(data.len())?)?,
            Piece::Zeros { at, length } => clear(&file, at, length)?,
        }
    }
    Ok(())
}

/// Takes a range out of a sparse file.
fn clear(file: &File, at: u64, length: u64) -> Result<()> {
    ensure!(length > 0, "nothing to clear");
    let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    Ok(fallocate(
        file,
        hole,
        i64::try_from(at)?,
        i64::try_from(length)?,
    )?)
}

#[cfg(test)]
mod tests;
