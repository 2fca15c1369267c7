//! Disks and their partitions as devices: opening, reading and writing them, and what can go wrong with that.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use nix::errno::Errno;
use nix::libc::O_EXCL;
use thiserror::Error;

use super::layout::Volume;
use super::table::{LayoutError, Piece};

/// Where an ext4 file system has its magic number, and that number (linux/Documentation/filesystems/ext4/super.rst).
const MAGIC: (u64, [u8; 2]) = (1024 + 0x38, [0x53, 0xef]);

/// Why a step on a disk was not taken.
#[derive(Debug, Error)]
pub(super) enum HostError {
    #[error("open {0}")]
    Open(String, #[source] io::Error),
    #[error("read {0}")]
    Read(String, #[source] io::Error),
    #[error("write to {0}")]
    Write(String, #[source] io::Error),
    #[error("a partition table for {0}")]
    Layout(String, #[source] LayoutError),
    #[error("make the kernel read the partition table of {0} again")]
    Partitions(String, #[source] Errno),
    #[error("the kernel does not take the partitions of {0} as its table has them")]
    Unknown(String),
    #[error("wait for what a former life of machined began")]
    Lock(#[source] io::Error),
    #[error("run {0}")]
    Run(&'static str, #[source] io::Error),
    #[error("{0} {1}; `osctl logs disk` has what it said")]
    Program(&'static str, String),
    #[error("make {0}")]
    Folder(String, #[source] io::Error),
    #[error("mount {0} at {1}")]
    Mount(String, String, #[source] Errno),
    #[error("read what is mounted")]
    Mounts(#[source] procfs::ProcError),
}

pub(super) fn open(path: &str) -> impl FnOnce(io::Error) -> HostError {
    |source| HostError::Open(path.to_owned(), source)
}

/// Whether somebody has the device for himself: a mount, another device made of it, or the same for one of its partitions.
pub(super) fn is_held(path: &str) -> bool {
    let open = OpenOptions::new()
        .read(true)
        .custom_flags(O_EXCL)
        .open(path);
    open.is_err_and(|error| error.raw_os_error() == Some(Errno::EBUSY as i32))
}

/// The device of a volume on a disk, both paths: a name that ends in a digit gets a `p` before the number.
pub(super) fn device(disk: &str, volume: Volume) -> String {
    let part = if disk.ends_with(|last: char| last.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    format!("{disk}{part}{}", volume.number())
}

/// Where there is a file system, as far as the volumes are devices already: the kernel keeps what it has read of a disk
/// and of its partitions apart, and what was written there was written through the partition.
pub(super) fn file_systems(disk: &str) -> BTreeSet<Volume> {
    let has = |volume: &Volume| {
        let (at, magic) = MAGIC;
        let mut found = [0; 2];
        let file = File::open(device(disk, *volume));
        file.and_then(|it| it.read_exact_at(&mut found, at)).is_ok() && found == magic
    };
    Volume::MOUNTED.into_iter().filter(has).collect()
}

/// Writes, and returns when it is sure to be kept.
pub(super) fn write(path: &str, pieces: &[Piece]) -> Result<(), HostError> {
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(open(path))?;
    let mut done = pieces.iter().map(|it| file.write_all_at(&it.bytes, it.at));
    done.try_for_each(|it| it)
        .and_then(|()| file.sync_all())
        .map_err(|source| HostError::Write(path.to_owned(), source))
}
