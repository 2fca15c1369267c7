//! Loop devices: a file or a part of one as a block device, read-only, gone with its last user.
//!
//! Owns: finding a free device and attaching a file to it in one step. Never detaches: the kernel does on last close.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nix::errno::Errno;

/// LOOP_CTL_GET_FREE of <linux/loop.h>: gives the number of a free device, making one if there is none.
const GET_FREE: libc::Ioctl = 0x4C82;
/// LOOP_CONFIGURE of <linux/loop.h>: attaches a file with all its settings at once.
const CONFIGURE: libc::Ioctl = 0x4C0A;
/// LO_FLAGS_READ_ONLY.
const READ_ONLY: u32 = 1;
/// LO_FLAGS_AUTOCLEAR: detach on last close.
const AUTOCLEAR: u32 = 4;
/// How often a device is asked for that someone else may take first.
const ATTEMPTS: u32 = 8;

/// `struct loop_config` of <linux/loop.h>, with `struct loop_info64` written out in it.
#[repr(C)]
#[derive(Default)]
struct Config {
    fd: u32,
    block_size: u32,
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    /// File name (64), cipher name (64) and key (32): 160 bytes, none of them used.
    names: [[u64; 10]; 2],
    init: [u64; 2],
    reserved: [u64; 8],
}

/// An attached device. It lives as long as this value or any other user of it.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    file: File,
}

/// Why a file was not attached.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The driver is not there.
    #[error("open /dev/loop-control")]
    Control(#[source] io::Error),
    /// No device is free.
    #[error("find a free loop device")]
    Free(#[source] Errno),
    /// The device cannot be opened.
    #[error("open {0}")]
    Open(PathBuf, #[source] io::Error),
    /// The kernel refused the file.
    #[error("attach a file to {0}")]
    Attach(PathBuf, #[source] Errno),
}

impl LoopDevice {
    /// Attaches `backing` to a free device, for reading only.
    ///
    /// # Errors
    /// There is no free device, or the kernel refuses the file.
    pub fn attach(backing: &File) -> Result<Self, LoopError> {
        Self::attach_part(backing, 0, 0)
    }

    /// The same with so many bytes of it from `offset` on, both whole multiples of 512; 0 bytes are all to its end.
    ///
    /// # Errors
    /// There is no free device, or the kernel refuses the file.
    pub fn attach_part(backing: &File, offset: u64, bytes: u64) -> Result<Self, LoopError> {
        let control = File::options()
            .read(true)
            .write(true)
            .open("/dev/loop-control")
            .map_err(LoopError::Control)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            // SAFETY: the request takes no argument and only gives a number; the descriptor is open.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE) };
            let number = Errno::result(number).map_err(LoopError::Free)?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let file = File::open(&path).map_err(|error| LoopError::Open(path.clone(), error))?;
            match configure(&file, backing, offset, bytes) {
                Ok(()) => return Ok(Self { path, file }),
                Err(Errno::EBUSY) if attempt < ATTEMPTS => {}
                Err(errno) => return Err(LoopError::Attach(path, errno)),
            }
        }
    }

    /// The device's node.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The opened device.
    pub fn file(&self) -> &File {
        &self.file
    }
}

fn configure(device: &File, backing: &File, offset: u64, bytes: u64) -> Result<(), Errno> {
    let fd = u32::try_from(backing.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    let config = Config {
        fd,
        offset,
        size_limit: bytes,
        flags: READ_ONLY | AUTOCLEAR,
        ..Config::default()
    };
    // SAFETY: the request reads one `struct loop_config`; `Config` has its size and layout (checked by a test), lives
    // for the call and has no uninitialised padding. Both descriptors are open. No safe wrapper exists.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, &raw const config) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(size_of::<Config>(), 304);
        assert_eq!(std::mem::offset_of!(Config, offset), 32);
        assert_eq!(std::mem::offset_of!(Config, flags), 60);
        assert_eq!(std::mem::offset_of!(Config, reserved), 240);
    }
}
