//! Partition tables: what two ends of a disk say, and what has to be written there. Pure.

use std::io::{self, Read, Seek, SeekFrom, Write};

use gptman::{GPT, GPTHeader, GPTPartitionEntry};

use super::guid::Guid;
use super::layout::MIB;

/// Entries of every table we read: the least that the specification allows, and what everybody writes (UEFI 2.10, 5.3.1).
const ENTRIES: u32 = 128;
/// Bytes of an entry, for the same reasons.
const ENTRY_BYTES: u32 = 128;

/// A partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The disk's identifier.
    pub(super) disk: Guid,
    /// The partitions by number.
    pub(super) partitions: Vec<Partition>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// Its number, from one on.
    pub(super) number: u32,
    /// Its name.
    pub(super) label: String,
    /// Its type.
    pub(super) kind: Guid,
    /// Its identifier.
    pub(super) guid: Guid,
    /// Where it begins, in bytes.
    pub(super) start: u64,
    /// Its size in bytes.
    pub(super) bytes: u64,
}

/// What stands at the two ends of a disk, where everybody who uses a disk as a whole leaves a mark: partition tables,
/// file systems, RAID and volume managers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// The size of the disk.
    pub(super) disk_bytes: u64,
    /// Its smallest unit that can be written.
    pub(super) sector: u64,
    /// The first mebibyte.
    pub(super) head: Vec<u8>,
    /// The last mebibyte.
    pub(super) tail: Vec<u8>,
}

/// What a disk's ends say of partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing at all stands there.
    Blank,
    /// Something else, or a table that cannot be read; for a person.
    Other(String),
    /// A table.
    Table {
        /// It.
        table: Table,
        /// Both copies are whole and at their places.
        sound: bool,
    },
}

/// Bytes for a place on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The place.
    pub(super) at: u64,
    /// The bytes.
    pub(super) bytes: Vec<u8>,
}

/// A table cannot be put on a disk.
#[derive(Debug, thiserror::Error)]
#[error("lay out a partition table")]
pub(super) struct LayoutError(#[source] gptman::Error);

/// Reads what the ends of a disk say.
#[must_use]
pub(super) fn read(ends: &Ends) -> Found {
    if ends.head.iter().chain(&ends.tail).all(|byte| *byte == 0) {
        return Found::Blank;
    }
    let mut window = Window::of(ends);
    let primary = window.header(1, ends.sector);
    let backup = window.header(
        (ends.disk_bytes / ends.sector).saturating_sub(1),
        ends.sector,
    );
    if primary.is_none() && backup.is_none() {
        return Found::Other(signature(&ends.head).to_owned());
    }
    let table = match GPT::read_from(&mut window, ends.sector) {
        Ok(table) => table,
        Err(error) => return Found::Other(format!("a damaged partition table: {error}")),
    };
    let mirrored = |one: &GPTHeader, other: &GPTHeader| {
        (one.backup_lba, other.backup_lba) == (other.primary_lba, one.primary_lba)
            && one.partition_entry_array_crc32 == other.partition_entry_array_crc32
            && one.disk_guid == other.disk_guid
    };
    let sound = table.is_primary()
        && ends.head.get(510..512) == Some(&[0x55, 0xaa])
        && matches!((&primary, &backup), (Some(one), Some(other)) if mirrored(one, other));
    Found::Table {
        table: from(&table, ends.sector),
        sound,
    }
}

/// What stands at the beginning of a disk without a table that we read, as far as a person is helped by it.
fn signature(head: &[u8]) -> &'static str {
    let known: [(usize, &[u8], &str); 8] = [
        (1080, b"\x53\xef", "an ext2, ext3 or ext4 file system"),
        (0, b"XFSB", "an XFS file system"),
        (65600, b"_BHRfS_M", "a Btrfs file system"),
        (536, b"LVM2 001", "a volume of LVM"),
        (0, b"LUKS\xba\xbe", "an encrypted volume"),
        (32769, b"CD001", "an ISO 9660 file system"),
        (512, b"EFI PART", "a damaged partition table"),
        (
            510,
            b"\x55\xaa",
            "an MBR partition table or a FAT file system",
        ),
    ];
    let is = |at: usize, mark: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let found = known.into_iter().find(|(at, mark, _)| is(*at, mark));
    found.map_or("data", |(_, _, name)| name)
}

fn from(table: &GPT, sector: u64) -> Table {
    let used = table.iter().filter(|(_, entry)| entry.is_used());
    let partitions = used.map(|(number, entry)| Partition {
        number,
        label: entry.partition_name.as_str().to_owned(),
        kind: Guid::from_disk(entry.partition_type_guid),
        guid: Guid::from_disk(entry.unique_partition_guid),
        start: entry.starting_lba.saturating_mul(sector),
        bytes: entry.size().unwrap_or_default().saturating_mul(sector),
    });
    Table {
        disk: Guid::from_disk(table.header.disk_guid),
        partitions: partitions.collect(),
    }
}

/// What to write, in two rounds: the copy at the end, then, when that is sure to be kept, the one at the beginning. At
/// every moment one of them is whole, the old or the new one.
///
/// # Errors
/// When the partitions overlap or do not fit on the disk.
pub(super) fn pieces(
    table: &Table,
    disk_bytes: u64,
    sector: u64,
) -> Result<[Vec<Piece>; 2], LayoutError> {
    let mut window = Window::empty(disk_bytes, sector);
    let mut made = GPT::new_from(&mut window, sector, table.disk.on_disk()).map_err(LayoutError)?;
    for partition in &table.partitions {
        made[partition.number] = GPTPartitionEntry {
            partition_type_guid: partition.kind.on_disk(),
            unique_partition_guid: partition.guid.on_disk(),
            starting_lba: partition.start / sector,
            ending_lba: (partition.start + partition.bytes) / sector - 1,
            attribute_bits: 0,
            partition_name: partition.label.as_str().into(),
        };
    }
    made.write_into(&mut window).map_err(LayoutError)?;
    GPT::write_protective_mbr_into(&mut window, sector).map_err(LayoutError)?;
    let array = u64::from(ENTRIES * ENTRY_BYTES).next_multiple_of(sector);
    let head = usize::try_from(2 * sector + array).unwrap_or(usize::MAX);
    let tail = window.tail.len() - usize::try_from(sector + array).unwrap_or(usize::MAX);
    let end = Piece {
        at: disk_bytes / sector * sector - sector - array,
        bytes: window.tail.split_off(tail),
    };
    window.head.truncate(head);
    let beginning = Piece {
        at: 0,
        bytes: window.head,
    };
    Ok([vec![end], vec![beginning]])
}

/// The two ends of a disk as one file; what lies between cannot be touched.
struct Window {
    at: u64,
    /// Where the tail begins.
    tail_at: u64,
    end: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Window {
    fn of(ends: &Ends) -> Self {
        let mut tail = ends.tail.clone();
        // A disk may end within a sector, as a file can; nothing is ever kept there.
        let end = ends.disk_bytes / ends.sector * ends.sector;
        tail.truncate(tail.len() - usize::try_from(ends.disk_bytes - end).unwrap_or_default());
        Self {
            at: 0,
            tail_at: end - tail.len() as u64,
            end,
            head: ends.head.clone(),
            tail,
        }
    }

    fn empty(disk_bytes: u64, sector: u64) -> Self {
        let mebibyte = || vec![0; usize::try_from(MIB).unwrap_or_default()];
        Self::of(&Ends {
            disk_bytes,
            sector,
            head: mebibyte(),
            tail: mebibyte(),
        })
    }

    /// A header that is whole and of the shape we know. Others are valid too, but never ours, and reading their entries
    /// would mean to believe their numbers: they are painted over.
    fn header(&mut self, sector: u64, sector_bytes: u64) -> Option<GPTHeader> {
        let at = sector.checked_mul(sector_bytes)?;
        self.at = at;
        let header = GPTHeader::read_from(self).ok().filter(|it| {
            (it.number_of_partition_entries, it.size_of_partition_entry) == (ENTRIES, ENTRY_BYTES)
                && it.primary_lba == sector
        });
        self.at = at;
        if header.is_none()
            && let Some(signature) = self.rest().ok()?.get_mut(..8)
        {
            signature.fill(0);
        }
        header
    }

    /// What of the part that holds the current place is left from there on.
    fn rest(&mut self) -> io::Result<&mut [u8]> {
        let (part, begin) = if self.at >= self.tail_at {
            (&mut self.tail, self.tail_at)
        } else {
            (&mut self.head, 0)
        };
        let within = usize::try_from(self.at - begin).unwrap_or(usize::MAX);
        match part.get_mut(within..) {
            Some(rest) if !rest.is_empty() => Ok(rest),
            _ => Err(io::Error::other("no table stands there")),
        }
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest()?.as_ref().read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for Window {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.rest()?.write(bytes)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests;
