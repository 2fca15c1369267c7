//! The files behind disks that are of one machine alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::argv::{disk_file, record_file};
use crate::name::Name;
use crate::spec::{Disk, OwnDisk, Unfit, VmSpec, check_size};

/// What cannot be done with a disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The machine has none of this number, or it is a file that machines share.
    #[error("{vm} has no disk {number} of its own")]
    None {
        /// The machine.
        vm: Name,
        /// The number.
        number: usize,
    },
    /// Nothing that happens to it is recorded.
    #[error("disk {number} of {vm} was not made to be recorded")]
    NoRecord {
        /// The machine.
        vm: Name,
        /// The number.
        number: usize,
    },
    /// The machine would go on with the old size.
    #[error("{vm} is on: switch it off before its disk is grown")]
    On {
        /// The machine.
        vm: Name,
    },
    /// What is on it would be lost.
    #[error("disk {number} of {vm} has {has} bytes already, and cannot shrink to {size}")]
    Shrink {
        /// The machine.
        vm: Name,
        /// The number.
        number: usize,
        /// Its size.
        has: u64,
        /// The size that was asked for.
        size: u64,
    },
    /// No disk has this size.
    #[error("a disk cannot be grown like that")]
    Unfit(#[source] Unfit),
    /// The file.
    #[error("cannot make room in {}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A disk of a machine's own.
pub(crate) fn own(vm: &VmSpec, number: usize) -> Result<&OwnDisk, DiskError> {
    match vm.disks.get(number) {
        Some(Disk::Own(disk)) => Ok(disk),
        Some(Disk::Shared { .. }) | None => Err(DiskError::None {
            vm: vm.name.clone(),
            number,
        }),
    }
}

/// Makes the files of a new machine's disks in its cluster's folder.
pub(crate) fn make(folder: &Path, vm: &VmSpec) -> Result<(), DiskError> {
    for (number, disk) in vm.own_disks() {
        let file = folder.join(disk_file(&vm.name, number));
        let made = File::create_new(&file).and_then(|open| open.set_len(disk.size));
        made.map_err(|source| DiskError::File { file, source })?;
        if disk.record {
            let file = folder.join(record_file(&vm.name, number));
            let made = File::create_new(&file);
            made.map_err(|source| DiskError::File { file, source })?;
        }
    }
    Ok(())
}

/// Makes a disk larger. What counts is the file: the notes are written after it.
pub(crate) fn grow(
    folder: &Path,
    vm: &mut VmSpec,
    number: usize,
    size: u64,
) -> Result<(), DiskError> {
    check_size(size).map_err(DiskError::Unfit)?;
    let file = folder.join(disk_file(&vm.name, number));
    let failed = |source| DiskError::File {
        file: file.clone(),
        source,
    };
    let has = fs::metadata(&file).map_err(failed)?.len();
    if size < has {
        return Err(DiskError::Shrink {
            vm: vm.name.clone(),
            number,
            has,
            size,
        });
    }
    let open = OpenOptions::new().write(true).open(&file);
    open.and_then(|open| open.set_len(size)).map_err(failed)?;
    if let Some(Disk::Own(disk)) = vm.disks.get_mut(number) {
        disk.size = size;
    }
    Ok(())
}
