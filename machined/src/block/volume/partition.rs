//! Partitions as the kernel has them: what is written to a disk counts for it only when it has read that again, and whoever
//! writes it may be killed before.

use std::fs::{self, File};
use std::path::Path;

use nix::errno::Errno;
use resources::block::Disk;
use sys::partitions;

use super::device::{HostError, device, open, write as write_pieces};
use super::layout::Volume;
use super::table::{self, Table};

/// Where the kernel shows block devices.
const DEVICES: &str = "/sys/class/block";
/// What it counts their places and sizes in, whatever the disk's own sectors are
/// (linux/Documentation/ABI/stable/sysfs-block).
const UNIT: u64 = 512;

/// Writes a table, and has the kernel take it.
pub(super) fn write(disk: &Disk, table: &Table) -> Result<(), HostError> {
    let sector = u64::from(disk.sector_bytes.max(512));
    let rounds = table::pieces(table, disk.bytes, sector)
        .map_err(|source| HostError::Layout(disk.path.clone(), source))?;
    for round in rounds {
        write_pieces(&disk.path, &round)?;
    }
    announce(&disk.path, table)
}

/// Has the kernel take a table that is on the disk.
pub(super) fn announce(disk: &str, table: &Table) -> Result<(), HostError> {
    let file = File::open(disk).map_err(open(disk))?;
    let told = match partitions::read_again(&file) {
        // The volumes are mounted: only the last one has changed.
        Err(Errno::EBUSY) => {
            let last = Volume::Ephemeral.number();
            let last = table.partitions.iter().find(|it| it.number == last);
            last.map_or(Ok(()), |it| {
                partitions::resize(&file, it.number, it.start, it.bytes)
            })
        }
        told => told,
    };
    told.map_err(|errno| HostError::Partitions(disk.to_owned(), errno))?;
    // Or it would be told again and again.
    if are_known(disk, table) {
        Ok(())
    } else {
        Err(HostError::Unknown(disk.to_owned()))
    }
}

/// Whether the kernel has the partitions of a table, each where it is and as long.
pub(super) fn are_known(disk: &str, table: &Table) -> bool {
    are_known_in(Path::new(DEVICES), disk, table)
}

fn are_known_in(devices: &Path, disk: &str, table: &Table) -> bool {
    let number = |folder: &Path, file: &str| -> Option<u64> {
        let text = fs::read_to_string(folder.join(file)).ok()?;
        text.trim().parse::<u64>().ok()?.checked_mul(UNIT)
    };
    let is_known = |volume: &Volume| {
        let mut partitions = table.partitions.iter();
        let partition = partitions.find(|it| it.number == volume.number());
        let path = device(disk, *volume);
        let folder = Path::new(&path).file_name().map(|name| devices.join(name));
        partition.zip(folder).is_some_and(|(it, folder)| {
            number(&folder, "start") == Some(it.start) && number(&folder, "size") == Some(it.bytes)
        })
    };
    Volume::ALL.iter().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::super::guid::Guid;
    use super::super::layout;
    use super::*;

    #[test]
    fn the_kernel_has_a_table_when_it_has_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut number = 0;
        let guid = || {
            number += 1;
            Guid::new(number)
        };
        let table = layout::table(4 << 30, Guid::new(9), guid).unwrap();
        let known = || are_known_in(folder.path(), "/dev/nvme0n1", &table);
        let show = |number: u32, file: &str, bytes: u64| {
            let device = folder.path().join(format!("nvme0n1p{number}"));
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join(file), format!("{}\n", bytes / UNIT)).unwrap();
        };
        assert!(!known());
        for it in &table.partitions {
            assert!(!known());
            show(it.number, "start", it.start);
            show(it.number, "size", it.bytes);
        }
        assert!(known());
        // As before it grew.
        let last = table.partitions.last().unwrap();
        show(last.number, "size", last.bytes - 4096);
        assert!(!known());
    }
}
