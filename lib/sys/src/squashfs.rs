//! The superblock of a SquashFS 4.0 image: whether a device begins with one, and where its data ends; and a label,
//! which the format itself has no place for.
//!
//! Owns: parsing the first 96 bytes, and the block with the label behind the image. Never reads what is between them: the
//! kernel mounts it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The bytes that [`Superblock::parse`] needs.
pub const SIZE: usize = 96;

/// The length of a block with a label: that of the blocks that an image is padded to.
pub const LABEL_SIZE: usize = 4096;

/// How a block with a label begins. A root has its verity superblock in this place, which begins with another word.
const LABEL_MAGIC: &[u8; 8] = b"grbdlabl";

/// The longest label, as with ext4.
const LABEL_MAX: usize = 16;

/// What init needs to know of an image before the kernel mounts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superblock {
    /// The length of the image, before any padding.
    pub bytes_used: u64,
}

/// Why bytes are no usable superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SuperblockError {
    /// They do not begin with the magic word: some other content.
    #[error("no squashfs")]
    Magic,
    /// The version is not 4.0.
    #[error("squashfs version {0}.{1} is not 4.0")]
    Version(u16, u16),
    /// The length is smaller than the superblock itself, or absurdly large.
    #[error("squashfs length {0} is impossible")]
    Length(u64),
}

impl Superblock {
    /// Parses the first bytes of a device or file.
    pub fn parse(bytes: &[u8]) -> Result<Self, SuperblockError> {
        if bytes.len() < SIZE || !bytes.starts_with(b"hsqs") {
            return Err(SuperblockError::Magic);
        }
        let (major, minor) = (read_u16(bytes, 28), read_u16(bytes, 30));
        if (major, minor) != (4, 0) {
            return Err(SuperblockError::Version(major, minor));
        }
        let bytes_used = read_u64(bytes, 40);
        // 2^40 bytes is far above any root and keeps every later sum in range.
        if !(SIZE as u64..1 << 40).contains(&bytes_used) {
            return Err(SuperblockError::Length(bytes_used));
        }
        Ok(Self { bytes_used })
    }

    /// The length rounded up to whole blocks of 4096, where the verity tree begins, or the block with the label lies.
    pub fn padded_size(self) -> u64 {
        self.bytes_used.next_multiple_of(4096)
    }
}

/// The block that gives an image a label when it stands behind it; `None` when the label is empty, longer than 16
/// bytes, or holds anything but capital letters, digits and dashes.
pub fn label_block(label: &str) -> Option<[u8; LABEL_SIZE]> {
    let mut block = [0; LABEL_SIZE];
    let (magic, rest) = block.split_at_mut(LABEL_MAGIC.len());
    magic.copy_from_slice(LABEL_MAGIC);
    rest.get_mut(..label.len())?
        .copy_from_slice(label.as_bytes());
    (self::label(&block)? == label).then_some(block)
}

/// The label in the bytes behind an image; `None` when they are something else.
pub fn label(block: &[u8]) -> Option<&str> {
    let rest = block.strip_prefix(LABEL_MAGIC)?.get(..=LABEL_MAX)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let plain = |it: &u8| it.is_ascii_uppercase() || it.is_ascii_digit() || *it == b'-';
    let label = rest
        .get(..end)
        .filter(|it| !it.is_empty() && it.iter().all(plain))?;
    std::str::from_utf8(label).ok()
}

/// The label of an image that lies in these bytes of a file or device; `None` when there is no image, or none with a label.
/// It reads the two blocks in question.
///
/// # Errors
/// What is there cannot be read.
pub fn read_label(file: &File, start: u64, bytes: u64) -> io::Result<Option<String>> {
    let end = start.saturating_add(bytes);
    let mut head = [0; SIZE];
    if !read_within(file, &mut head, start, end)? {
        return Ok(None);
    }
    let Ok(superblock) = Superblock::parse(&head) else {
        return Ok(None);
    };
    let mut block = [0; LABEL_SIZE];
    let behind = start.saturating_add(superblock.padded_size());
    let read = read_within(file, &mut block, behind, end)?;
    Ok(label(&block).filter(|_| read).map(str::to_owned))
}

/// Fills the buffer from here on; not at all when it would go beyond the end.
fn read_within(file: &File, buffer: &mut [u8], at: u64, end: u64) -> io::Result<bool> {
    if at.saturating_add(buffer.len() as u64) > end {
        return Ok(false);
    }
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_u16(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |chunk| u16::from_le_bytes(*chunk))
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(length: u64) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..4].copy_from_slice(b"hsqs");
        bytes[28] = 4;
        bytes[40..48].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    #[test]
    fn reads_the_length() {
        let superblock = Superblock::parse(&image(4097)).unwrap();
        assert_eq!(
            (superblock.bytes_used, superblock.padded_size()),
            (4097, 8192)
        );
        assert_eq!(Superblock { bytes_used: 8192 }.padded_size(), 8192);
    }

    #[test]
    fn a_label_is_read_as_it_was_written() {
        for label in ["A", "GARBOARD-BUNDLE", "0123456789ABCDEF"] {
            assert_eq!(super::label(&label_block(label).unwrap()), Some(label));
        }
        for none in ["", "0123456789ABCDEFG", "lower", "A B", "\u{c4}", "A\0B"] {
            assert_eq!(label_block(none), None, "{none:?}");
        }
        assert_eq!(label_block(&"A".repeat(LABEL_SIZE)), None);
    }

    #[test]
    fn a_label_is_read_behind_its_image_and_not_beyond_the_end() {
        let path = std::env::temp_dir().join(format!("garboard-label-{}", std::process::id()));
        let mut bytes = vec![0; 512];
        bytes.extend(image(5000));
        bytes.resize(512 + 8192, 0);
        bytes.extend(label_block("LABEL").unwrap());
        let length = bytes.len() as u64 - 512;
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let read = |start, bytes| read_label(&file, start, bytes).unwrap();
        assert_eq!(read(512, length).as_deref(), Some("LABEL"));
        assert_eq!(read(512, length - 1), None);
        assert_eq!(read(512, u64::MAX).as_deref(), Some("LABEL"));
        assert_eq!(read(0, length), None);
        assert_eq!(read(length, 1 << 20), None);
    }

    #[test]
    fn other_bytes_are_no_label() {
        let block = label_block("LABEL").unwrap();
        assert_eq!(label(&block[..24]), None);
        assert_eq!(label(b"verity\0\0"), None);
        assert_eq!(label(b"grbdlabl\xff\xff\0aaaaaaaaaaaaaaaa"), None);
        assert_eq!(label(b"grbdlabl\0AAAAAAAAAAAAAAAA"), None);
    }

    #[test]
    fn refuses_other_content() {
        assert_eq!(Superblock::parse(&[0; SIZE]), Err(SuperblockError::Magic));
        assert_eq!(Superblock::parse(b"hsqs"), Err(SuperblockError::Magic));
        assert_eq!(
            Superblock::parse(&image(5)),
            Err(SuperblockError::Length(5))
        );
        assert_eq!(
            Superblock::parse(&image(u64::MAX)),
            Err(SuperblockError::Length(u64::MAX))
        );
        let mut old = image(4096);
        old[28] = 3;
        assert_eq!(Superblock::parse(&old), Err(SuperblockError::Version(3, 0)));
    }
}
