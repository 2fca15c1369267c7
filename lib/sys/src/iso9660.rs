//! ISO 9660 file systems: their label, and where on a medium a file of theirs lies (ECMA-119).
//!
//! Owns: parsing the primary volume descriptor and folders. Never reads: who wants to know gives the bytes. Names are the
//! standard's own, which every medium has, whatever else describes its files as well.

/// Where the primary volume descriptor lies: sector 16 of 2048 bytes.
pub const DESCRIPTOR_OFFSET: u64 = 16 * 2048;
/// The bytes of it that [`label`] needs.
pub const DESCRIPTOR_SIZE: usize = 72;

/// The bytes of it that [`root`] needs.
pub const ROOT_SIZE: usize = 190;

/// How long a block is. Other lengths are allowed and nobody makes them.
const BLOCK: u16 = 2048;
/// Where the descriptor has the length of a block (8.4.12), and its record of the root folder (8.4.18).
const BLOCK_FIELD: usize = 128;
const ROOT_RECORD: usize = 156;
/// The length of a record without its name (9.1).
const RECORD: usize = 33;
/// Flags of a record (9.1.6): it is a folder; there is more of the file elsewhere.
const FOLDER: u8 = 2;
const CONTINUED: u8 = 0x80;

/// Where something lies, in bytes from the beginning of the file system on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Its first byte.
    pub start: u64,
    /// Its length.
    pub bytes: u64,
}

/// What a folder holds under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A file in one piece.
    File(Extent),
    /// A folder.
    Folder(Extent),
}

/// The root folder, of the descriptor at [`DESCRIPTOR_OFFSET`]; `None` when the bytes are something else.
pub fn root(descriptor: &[u8]) -> Option<Extent> {
    label(descriptor)?;
    if read_u16(descriptor, BLOCK_FIELD)? != BLOCK {
        return None;
    }
    match Record::parse(descriptor.get(ROOT_RECORD..)?)?.entry()? {
        Entry::Folder(extent) => Some(extent),
        Entry::File(_) => None,
    }
}

/// What a folder has under a name, of its bytes or the first of them. Letters count as the same in both cases, and the
/// number of a version does not count.
pub fn find(folder: &[u8], name: &str) -> Option<Entry> {
    // No record goes over the end of a block; the rest of the block is zeros then.
    let mut records = folder.chunks(BLOCK.into()).flat_map(records);
    let found = records.find(|it| plain_name(it.name).eq_ignore_ascii_case(name.as_bytes()))?;
    found.entry()
}

fn records(block: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let record = Record::parse(rest)?;
        rest = rest.get(record.length..)?;
        Some(record)
    })
}

/// A name without the version, and without the dot that one without an extension ends with (7.5.1).
fn plain_name(name: &[u8]) -> &[u8] {
    let end = name.iter().position(|byte| *byte == b';');
    let name = end.and_then(|end| name.get(..end)).unwrap_or(name);
    name.strip_suffix(b".").unwrap_or(name)
}

/// A record of a folder.
struct Record<'a> {
    length: usize,
    extent: Extent,
    flags: u8,
    /// Its files are written in turns with gaps between them.
    interleaved: bool,
    name: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record that begins here; `None` behind the last one of a block.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::from(*bytes.first()?);
        let record = bytes.get(..length).filter(|it| it.len() > RECORD)?;
        // Blocks before the content that hold attributes belong to its extent.
        let block = u64::from(read_u32(record, 2)?) + u64::from(*record.get(1)?);
        let extent = Extent {
            start: block * u64::from(BLOCK),
            bytes: read_u32(record, 10)?.into(),
        };
        let named = usize::from(*record.get(RECORD - 1)?);
        Some(Self {
            length,
            extent,
            flags: *record.get(25)?,
            interleaved: record.get(26..28)? != [0, 0],
            name: record.get(RECORD..RECORD + named)?,
        })
    }

    /// What it is, unless it is in more than one piece.
    fn entry(&self) -> Option<Entry> {
        if self.interleaved || self.flags & CONTINUED != 0 {
            return None;
        }
        Some(if self.flags & FOLDER == 0 {
            Entry::File(self.extent)
        } else {
            Entry::Folder(self.extent)
        })
    }
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|it| u16::from_le_bytes(*it))
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|it| u32::from_le_bytes(*it))
}

/// The volume label in a primary volume descriptor; `None` when the bytes are something else.
pub fn label(descriptor: &[u8]) -> Option<&str> {
    // Type 1 (primary), the standard's identifier, version 1; the label stands at 40, padded with spaces.
    let rest = descriptor.strip_prefix(b"\x01CD001\x01")?;
    let label = rest.get(33..65)?;
    std::str::from_utf8(label)
        .ok()
        .map(|label| label.trim_end_matches([' ', '\0']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_label() {
        let mut descriptor = vec![0; DESCRIPTOR_SIZE];
        descriptor[..7].copy_from_slice(b"\x01CD001\x01");
        descriptor[40..72].copy_from_slice(b"GARBOARD                        ");
        assert_eq!(label(&descriptor), Some("GARBOARD"));
        assert_eq!(label(&descriptor[..71]), None);
        descriptor[0] = 2;
        assert_eq!(label(&descriptor), None);
    }

    /// A record of something at a block.
    fn record(name: &[u8], block: u32, bytes: u32, flags: u8) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[2..6].copy_from_slice(&block.to_le_bytes());
        record[10..14].copy_from_slice(&bytes.to_le_bytes());
        record[25] = flags;
        record[32] = u8::try_from(name.len()).unwrap();
        record.extend_from_slice(name);
        // To an even length, and with what extensions of the standard add.
        record.resize(record.len().next_multiple_of(2) + 6, 0xaa);
        record[0] = u8::try_from(record.len()).unwrap();
        record
    }

    fn descriptor(block: u16, flags: u8) -> Vec<u8> {
        let mut descriptor = vec![0; ROOT_RECORD];
        descriptor[..7].copy_from_slice(b"\x01CD001\x01");
        descriptor[BLOCK_FIELD..BLOCK_FIELD + 2].copy_from_slice(&block.to_le_bytes());
        descriptor.extend(&record(b"\0", 20, 4096, flags)[..34]);
        descriptor[ROOT_RECORD] = 34;
        descriptor
    }

    #[test]
    fn the_root_is_a_folder() {
        let root = Extent {
            start: 20 * 2048,
            bytes: 4096,
        };
        let whole = descriptor(2048, FOLDER);
        assert_eq!(whole.len(), ROOT_SIZE);
        assert_eq!(super::root(&whole), Some(root));
        assert_eq!(super::root(&whole[..ROOT_SIZE - 1]), None);
        assert_eq!(super::root(&descriptor(512, FOLDER)), None);
        assert_eq!(super::root(&descriptor(2048, 0)), None);
        assert_eq!(super::root(&descriptor(2048, FOLDER | CONTINUED)), None);
    }

    #[test]
    fn a_file_is_found_by_its_name() {
        let mut folder = [
            record(b"\0", 20, 4096, FOLDER),
            record(b"\x01", 20, 4096, FOLDER),
            record(b"BUNDLE.IM;1", 30, 1, 0),
            record(b"HALF.IMG;1", 31, 1, CONTINUED),
        ]
        .concat();
        // The rest of the first block is empty, and the next one goes on.
        folder.resize(2048, 0);
        folder.extend(record(b"BUNDLE.IMG;1", 32, 5000, 0));
        folder.extend(record(b"NOTE.;1", 33, 7, 0));
        folder.extend(record(b"GARBOARD", 21, 2048, FOLDER));
        let at = |block: u64, bytes| Extent {
            start: block * 2048,
            bytes,
        };
        assert_eq!(find(&folder, "bundle.img"), Some(Entry::File(at(32, 5000))));
        assert_eq!(find(&folder, "note"), Some(Entry::File(at(33, 7))));
        let below = Some(Entry::Folder(at(21, 2048)));
        assert_eq!(find(&folder, "garboard"), below);
        assert_eq!(find(&folder, "half.img"), None);
        assert_eq!(find(&folder, "img"), None);
        // As much as was read of it.
        assert_eq!(find(&folder[..2100], "note"), None);
        assert_eq!(find(&[], "note"), None);
    }

    #[test]
    fn attributes_before_a_file_and_gaps_in_it_are_noticed() {
        let mut file = record(b"A;1", 30, 1, 0);
        file[1] = 2;
        let Some(Entry::File(extent)) = find(&file, "a") else {
            panic!("no file")
        };
        assert_eq!(extent.start, 32 * 2048);
        file[26] = 1;
        assert_eq!(find(&file, "a"), None);
    }
}
