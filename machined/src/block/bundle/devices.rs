//! The disks there are and their partitions, as sysfs has them: what a bundle may be on.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The unit of every size and place in sysfs, in bytes, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// A disk or a partition. Another one when there is another disk, or another medium in its drive, or it lies elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// The disk that it is, or is a part of, by the kernel's name.
    pub(super) disk: String,
    /// The kernel's number for the disk and its medium: no two get the same one before the machine starts again.
    pub(super) sequence: u64,
    /// Where on the disk it begins, in bytes.
    pub(super) start: u64,
    /// Its size; 0 for a drive without a medium.
    pub(super) bytes: u64,
}

/// All of them by the kernel's names: what stands for hardware, so no loop device, no device mapper.
pub(super) fn devices(sys: &Path) -> io::Result<BTreeMap<String, Device>> {
    let mut devices = BTreeMap::new();
    for entry in fs::read_dir(sys.join("block"))? {
        let entry = entry?;
        let Ok(disk) = entry.file_name().into_string() else {
            continue;
        };
        let folder = entry.path();
        if !folder.join("device").exists() {
            continue;
        }
        let device = |folder: &Path, start| {
            Some(Device {
                disk: disk.clone(),
                sequence: number(&entry.path(), "diskseq").unwrap_or_default(),
                start,
                bytes: number(folder, "size")?.checked_mul(SECTOR)?,
            })
        };
        // One that is pulled out meanwhile is none any more.
        devices.extend(device(&folder, 0).map(|it| (disk.clone(), it)));
        for part in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let start = number(&part.path(), "partition").and(number(&part.path(), "start"));
            let start = start.and_then(|it| it.checked_mul(SECTOR));
            let found = start.and_then(|start| device(&part.path(), start));
            devices.extend(part.file_name().into_string().ok().zip(found));
        }
    }
    Ok(devices)
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_partitions_are_told_apart_by_what_the_kernel_counts() {
        let sys = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = sys.path().join("block").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (path, text) in [
            ("vda/device/uevent", ""),
            ("vda/size", "4096\n"),
            ("vda/diskseq", "7\n"),
            ("vda/queue/size", "1\n"),
            ("vda/vda1/partition", "1\n"),
            ("vda/vda1/start", "64\n"),
            ("vda/vda1/size", "8\n"),
            ("sr0/device/uevent", ""),
            ("sr0/size", "0\n"),
            ("loop0/size", "8\n"),
        ] {
            write(path, text);
        }
        let device = |disk: &str, sequence, start, bytes| Device {
            disk: disk.to_owned(),
            sequence,
            start,
            bytes,
        };
        let expected = [
            ("sr0", device("sr0", 0, 0, 0)),
            ("vda", device("vda", 7, 0, 4096 * 512)),
            ("vda1", device("vda", 7, 64 * 512, 8 * 512)),
        ];
        let expected = expected.map(|(name, device)| (name.to_owned(), device));
        assert_eq!(devices(sys.path()).unwrap(), expected.into());
    }
}
