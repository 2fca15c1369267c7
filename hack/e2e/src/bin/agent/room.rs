//! Taking all the room that a file system has, and giving it back.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// The first piece that is tried; smaller ones follow when there is no room for it.
const FIRST: i64 = 1 << 30;

/// The last: a block of every file system that nodes have.
const LAST: i64 = 1 << 12;

/// Makes a file that takes all the bytes left where it is; gives how many.
pub(crate) fn fill(path: &Path) -> io::Result<i64> {
    let file = File::create(path)?;
    let (mut has, mut piece) = (0, FIRST);
    while piece >= LAST {
        match fallocate(&file, FallocateFlags::empty(), has, piece) {
            Ok(()) => has += piece,
            Err(Errno::ENOSPC) => piece /= 2,
            Err(errno) => return Err(errno.into()),
        }
    }
    file.sync_all()?;
    Ok(has)
}

/// Makes a folder with as many empty files as there can be; gives how many.
pub(crate) fn crowd(path: &Path) -> io::Result<u64> {
    fs::create_dir(path)?;
    let mut count = 0;
    loop {
        match File::create_new(path.join(count.to_string())) {
            Ok(_) => count += 1,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(count),
            Err(error) => return Err(error),
        }
    }
}

/// Removes a file, or a folder with everything in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}
