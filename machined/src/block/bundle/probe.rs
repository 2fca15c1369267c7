//! Whether there is a bundle on a device: reads a few kilobytes of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use resources::images::{BUNDLE_LABEL, BUNDLE_ON_MEDIUM};
use sys::iso9660::{self, Entry, Extent};
use sys::squashfs;

/// How much of a folder of a medium is looked at, in bytes: some fifty files.
const FOLDER: u64 = 8 << 10;

/// Where a bundle is on a device, in bytes from its disk's beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is what the device begins with.
    Device,
    /// A file on it.
    File(Extent),
}

/// Where on a device the bundle is; `None` for a device with something else. The device is so many bytes of a disk.
///
/// # Errors
/// The disk cannot be read.
pub(super) fn probe(disk: &File, start: u64, bytes: u64) -> io::Result<Option<Place>> {
    if is_bundle(disk, start, bytes)? {
        return Ok(Some(Place::Device));
    }
    let Some(file) = file_on_medium(disk, start, bytes)? else {
        return Ok(None);
    };
    let found = is_bundle(disk, file.start, file.bytes)?;
    Ok(found.then_some(Place::File(file)))
}

fn is_bundle(disk: &File, start: u64, bytes: u64) -> io::Result<bool> {
    let label = squashfs::read_label(disk, start, bytes)?;
    Ok(label.as_deref() == Some(BUNDLE_LABEL))
}

/// Where the file is that a medium has a bundle in.
fn file_on_medium(disk: &File, start: u64, bytes: u64) -> io::Result<Option<Extent>> {
    // What a medium says of its files may be anything.
    let within = |it: Extent| {
        let fits = it.start.checked_add(it.bytes)? <= bytes;
        fits.then_some(Extent {
            start: start.checked_add(it.start)?,
            ..it
        })
    };
    let mut descriptor = [0; iso9660::ROOT_SIZE];
    let Some(at) = start.checked_add(iso9660::DESCRIPTOR_OFFSET) else {
        return Ok(None);
    };
    if !read(disk, &mut descriptor, at)? {
        return Ok(None);
    }
    let [folder, file] = BUNDLE_ON_MEDIUM;
    let Some(root) = iso9660::root(&descriptor).and_then(within) else {
        return Ok(None);
    };
    let Some(Entry::Folder(found)) = look(disk, root, folder)? else {
        return Ok(None);
    };
    let Some(found) = within(found) else {
        return Ok(None);
    };
    match look(disk, found, file)? {
        Some(Entry::File(found)) => Ok(within(found)),
        Some(Entry::Folder(_)) | None => Ok(None),
    }
}

fn look(disk: &File, folder: Extent, name: &str) -> io::Result<Option<Entry>> {
    let length = usize::try_from(folder.bytes.min(FOLDER)).unwrap_or_default();
    let mut bytes = vec![0; length];
    let read = read(disk, &mut bytes, folder.start)?;
    Ok(iso9660::find(&bytes, name).filter(|_| read))
}

/// Fills the buffer; not when the disk ends before that.
fn read(disk: &File, buffer: &mut [u8], at: u64) -> io::Result<bool> {
    match disk.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As long as a disk is here.
    const BYTES: usize = 128 << 10;

    /// A disk with these bytes at these places.
    fn disk(parts: &[(usize, &[u8])]) -> File {
        let mut bytes = vec![0; BYTES];
        for (at, part) in parts {
            bytes[*at..*at + part.len()].copy_from_slice(part);
        }
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file
    }

    fn probed(parts: &[(usize, &[u8])], start: u64) -> Option<Place> {
        probe(&disk(parts), start, BYTES as u64 - start).unwrap()
    }

    /// An image of so many bytes; what stands behind it.
    fn image(label: &str) -> Vec<u8> {
        let mut bytes = vec![0; 8192];
        bytes[..4].copy_from_slice(b"hsqs");
        bytes[28] = 4;
        bytes[40..42].copy_from_slice(&5000_u16.to_le_bytes());
        bytes.extend(squashfs::label_block(label).unwrap());
        bytes
    }

    /// A record of something at a block of a medium.
    fn record(name: &str, block: u8, bytes: u32, flags: u8) -> Vec<u8> {
        let mut record = vec![0; 33];
        record[2] = block;
        record[10..14].copy_from_slice(&bytes.to_le_bytes());
        record[25] = flags;
        record[32] = u8::try_from(name.len()).unwrap();
        record.extend(name.bytes());
        record[0] = u8::try_from(record.len()).unwrap();
        record
    }

    /// The descriptor of a medium whose root is at block 20.
    fn medium() -> Vec<u8> {
        let mut descriptor = vec![0; 156];
        descriptor[..7].copy_from_slice(b"\x01CD001\x01");
        descriptor[128..130].copy_from_slice(&2048_u16.to_le_bytes());
        descriptor.extend(record("\0", 20, 2048, 2));
        descriptor
    }

    const ROOT: usize = 20 * 2048;
    const FOLDER: usize = 21 * 2048;
    const CONTENT: usize = 22 * 2048;

    #[test]
    fn a_bundle_begins_a_device_or_is_a_file_on_it() {
        let bundle = image(BUNDLE_LABEL);
        assert_eq!(probed(&[(0, &bundle)], 0), Some(Place::Device));
        assert_eq!(probed(&[(4096, &bundle)], 4096), Some(Place::Device));
        let folder = record("GARBOARD", 21, 2048, 2);
        let file = record("BUNDLE.IMG;1", 22, 12288, 0);
        for start in [0, 4096] {
            let medium = medium();
            let parts = [
                (0x8000, &medium[..]),
                (ROOT, &folder),
                (FOLDER, &file),
                (CONTENT, &bundle),
            ];
            let parts = parts.map(|(at, bytes)| (at + start, bytes));
            let extent = Extent {
                start: (CONTENT + start) as u64,
                bytes: 12288,
            };
            let found = probed(&parts, start as u64);
            assert_eq!(found, Some(Place::File(extent)));
        }
    }

    #[test]
    fn everything_else_is_none() {
        assert_eq!(probed(&[], 0), None);
        assert_eq!(probed(&[(0, &image("OTHER"))], 0), None);
        // A root: what stands behind it is no label.
        assert_eq!(probed(&[(0, &image(BUNDLE_LABEL)[..8192])], 0), None);
        // Behind the end of the device.
        let bundle = disk(&[(0, &image(BUNDLE_LABEL))]);
        assert_eq!(probe(&bundle, 0, 8192).unwrap(), None);
        assert_eq!(probe(&bundle, 0, 16).unwrap(), None);
    }

    #[test]
    fn a_medium_may_say_anything_of_its_files() {
        let (medium, bundle) = (medium(), image(BUNDLE_LABEL));
        let whole = record("GARBOARD", 21, 2048, 2);
        let file = |bytes, flags| record("BUNDLE.IMG;1", 22, bytes, flags);
        for (folder, file) in [
            (record("GARBOARD", 21, 2048, 0), file(12288, 0)),
            (record("GARBOARD", 255, u32::MAX, 2), file(12288, 0)),
            (whole.clone(), file(12288, 2)),
            (whole.clone(), file(8192, 0)),
            (whole.clone(), file(u32::MAX, 0)),
            (whole, record("OTHER.IMG;1", 22, 12288, 0)),
        ] {
            let parts = [
                (0x8000, &medium[..]),
                (ROOT, &folder),
                (FOLDER, &file),
                (CONTENT, &bundle),
            ];
            assert_eq!(probed(&parts, 0), None, "{folder:?} {file:?}");
        }
    }
}
