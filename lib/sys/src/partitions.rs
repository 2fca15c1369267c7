//! Telling the kernel that the partitions of a disk have changed.
//!
//! Owns: the two requests for it. Never reads or writes a partition table.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// BLKRRPART of <linux/fs.h>: reads the table again; only while nobody uses a partition.
const READ_AGAIN: libc::Ioctl = 0x125f;
/// BLKPG of <linux/blkpg.h>: changes what the kernel takes for one partition.
const CHANGE: libc::Ioctl = 0x1269;
/// BLKPG_RESIZE_PARTITION.
const RESIZE: libc::c_int = 3;

/// `struct blkpg_partition` of <linux/blkpg.h>.
#[repr(C)]
struct Partition {
    start: i64,
    length: i64,
    number: libc::c_int,
    names: [[u8; 64]; 2],
}

/// `struct blkpg_ioctl_arg` of <linux/blkpg.h>.
#[repr(C)]
struct Argument {
    operation: libc::c_int,
    flags: libc::c_int,
    length: libc::c_int,
    data: *mut Partition,
}

/// Makes the kernel read the partition table of a disk again.
///
/// # Errors
/// `EBUSY` while somebody uses one of its partitions; what the kernel says of a table it cannot read.
pub fn read_again(disk: &File) -> Result<(), Errno> {
    // SAFETY: the request takes no argument, and the descriptor is open.
    let done = unsafe { libc::ioctl(disk.as_raw_fd(), READ_AGAIN) };
    Errno::result(done).map(drop)
}

/// Makes the kernel take a partition for another size, also while it is used; all in bytes.
///
/// # Errors
/// `EBUSY` when another partition is in the way, `EINVAL` for a partition that does not begin there.
pub fn resize(disk: &File, number: u32, start: u64, bytes: u64) -> Result<(), Errno> {
    let mut partition = Partition {
        start: i64::try_from(start).map_err(|_| Errno::EINVAL)?,
        length: i64::try_from(bytes).map_err(|_| Errno::EINVAL)?,
        number: i32::try_from(number).map_err(|_| Errno::EINVAL)?,
        names: [[0; 64]; 2],
    };
    let mut argument = Argument {
        operation: RESIZE,
        flags: 0,
        length: i32::try_from(size_of::<Partition>()).map_err(|_| Errno::EINVAL)?,
        data: &raw mut partition,
    };
    // SAFETY: the argument is the structure that the request wants, and points to the one that its operation wants;
    // both live until the call returns, and the kernel keeps neither.
    let done = unsafe { libc::ioctl(disk.as_raw_fd(), CHANGE, &raw mut argument) };
    Errno::result(done).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_disk_is_refused() {
        let file = File::open("/dev/null").unwrap();
        assert_eq!(read_again(&file), Err(Errno::ENOTTY));
        assert_eq!(resize(&file, 1, 0, 512), Err(Errno::ENOTTY));
        assert_eq!(resize(&file, 1, u64::MAX, 512), Err(Errno::EINVAL));
        // The layout that the kernel has for them on 64 bits.
        assert_eq!((size_of::<Partition>(), size_of::<Argument>()), (152, 24));
    }
}
