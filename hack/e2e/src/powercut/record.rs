//! The record of a disk, as QEMU's `blklogwrites` writes it: the format of the kernel's dm-log-writes
//! (admin-guide/device-mapper/log-writes, drivers/md/dm-log-writes.c). A sector about the whole, then for every entry a
//! sector about it and the sectors with its data. All numbers are little-endian.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::replay::Piece;

/// The first number of a record.
const MAGIC: u64 = 0x006a_7366_7773_6872;

/// The only version there is.
const VERSION: u64 = 1;

/// Everything before was made to stay.
const FLUSH: u64 = 1;
/// The write itself was made to stay.
const FUA: u64 = 1 << 1;
/// The sectors are not needed any more; there is no data.
const DISCARD: u64 = 1 << 2;
/// Somebody's remark, with the text in the entry's own sector.
const MARK: u64 = 1 << 3;

/// The largest sector that QEMU records with.
const LARGEST_SECTOR: u32 = 1 << 23;

/// The smallest there is.
const SMALLEST_SECTOR: u32 = 512;

/// How many bytes of the first sector mean something: magic, version, entries (64 bits each), sector size (32 bits).
const HEADER: usize = 28;

/// How many bytes of an entry's sector do: sector, sectors, flags, length of the text of a mark (64 bits each).
const ABOUT: usize = 32;

/// One thing that was done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// Data was written.
    Write {
        /// Where, in bytes.
        at: u64,
        /// The data.
        data: &'a [u8],
        /// What had been done before was made to stay first.
        flushes: bool,
        /// It was made to stay itself.
        stays: bool,
    },
    /// Data was given up; the disk reads as zeros there.
    Discard {
        /// Where, in bytes.
        at: u64,
        /// How many bytes.
        length: u64,
    },
    /// What had been done before was made to stay.
    Flush,
    /// A remark.
    Mark(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// Whether everything before it stays once it is done.
    pub fn flushes(&self) -> bool {
        matches!(self, Self::Flush | Self::Write { flushes: true, .. })
    }

    /// What it does to the disk, all of it.
    pub(super) fn whole(&self) -> Option<Piece<'a>> {
        match *self {
            Self::Write { at, data, .. } => Some(Piece::Data { at, data }),
            Self::Discard { at, length } => Some(Piece::Zeros { at, length }),
            Self::Flush | Self::Mark(_) => None,
        }
    }
}

/// How many entries a record has by now, while its machine may be running.
///
/// # Errors
/// When it cannot be read.
pub fn count(record: &Path) -> Result<usize> {
    let failed = || format!("reading {}", record.display());
    let mut bytes = Vec::new();
    let header = u64::try_from(HEADER).unwrap_or_default();
    let file = File::open(record).with_context(failed)?;
    file.take(header)
        .read_to_end(&mut bytes)
        .with_context(failed)?;
    // QEMU begins a record with its first entry.
    if bytes.is_empty() {
        return Ok(0);
    }
    let entries = Header::parse(&bytes).with_context(failed)?.entries;
    Ok(usize::try_from(entries)?)
}

/// The first sector.
struct Header {
    entries: u64,
    sector: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(number(bytes, 0)? == MAGIC, "no record of a disk");
        let version = number(bytes, 8)?;
        ensure!(
            version == VERSION,
            "a record of version {version}, not {VERSION}"
        );
        let sector = bytes
            .get(24..HEADER)
            .context("a record ends in its header")?;
        let sector = u32::from_le_bytes(sector.try_into()?);
        ensure!(
            sector.is_power_of_two() && (SMALLEST_SECTOR..=LARGEST_SECTOR).contains(&sector),
            "a record with sectors of {sector} bytes"
        );
        let entries = number(bytes, 16)?;
        Ok(Self { entries, sector })
    }
}

/// Reads a record of a disk of so many bytes; an empty file is the record of a disk that nobody touched.
pub(super) fn parse(bytes: &[u8], size: u64) -> Result<Vec<Entry<'_>>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let Header { entries, sector } = Header::parse(bytes)?;
    let mut reader = Reader {
        left: bytes,
        sector: usize::try_from(sector)?,
        size,
    };
    reader.take(reader.sector).context("the first sector")?;
    // Every entry has a sector, so a number that is too large ends with the bytes.
    (0..entries)
        .map(|number| reader.entry().with_context(|| format!("entry {number}")))
        .collect()
}

struct Reader<'a> {
    left: &'a [u8],
    sector: usize,
    size: u64,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let split = self.left.split_at_checked(length);
        let (taken, left) = split.with_context(|| {
            format!(
                "{length} bytes are missing, of which {} are there",
                self.left.len()
            )
        })?;
        self.left = left;
        Ok(taken)
    }

    fn entry(&mut self) -> Result<Entry<'a>> {
        let about = self.take(self.sector)?;
        let (flags, text) = (number(about, 16)?, number(about, 24)?);
        ensure!(
            flags & !(FLUSH | FUA | DISCARD | MARK) == 0,
            "unknown flags {flags:#x}"
        );
        if flags & MARK != 0 {
            let end = ABOUT.checked_add(usize::try_from(text)?);
            let text = end.and_then(|end| about.get(ABOUT..end));
            return Ok(Entry::Mark(
                text.context("a remark longer than its sector")?,
            ));
        }
        let sector = u64::try_from(self.sector)?;
        let bytes = |at| number(about, at).map(|sectors| sectors.checked_mul(sector));
        let (at, length) = (bytes(0)?, bytes(8)?);
        let end = at
            .zip(length)
            .and_then(|(at, length)| at.checked_add(length));
        let (Some(at), Some(length), Some(true)) = (at, length, end.map(|end| end <= self.size))
        else {
            bail!("it goes beyond the end of the disk");
        };
        match (length, flags) {
            (0, flags) if flags & (FLUSH | DISCARD) == FLUSH => Ok(Entry::Flush),
            // A machine that was killed: the entry is counted, and its place was never written.
            (0, _) => bail!("it says nothing"),
            (_, DISCARD) => Ok(Entry::Discard { at, length }),
            (_, flags) if flags & DISCARD != 0 => bail!("a discard with flags {flags:#x}"),
            _ => Ok(Entry::Write {
                at,
                data: self.take(usize::try_from(length)?)?,
                flushes: flags & FLUSH != 0,
                stays: flags & FUA != 0,
            }),
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Result<u64> {
    let bytes = bytes.get(at..at + 8).context("a number that is cut off")?;
    Ok(u64::from_le_bytes(bytes.try_into()?))
}
