//! The hardware watchdog: once opened, the machine resets unless it is kept alive.
//!
//! Owns: the device, its timeout, its keep-alive. Never decides when to feed it or what to do without one.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

mod ioctl {
    nix::ioctl_readwrite!(
        /// WDIOC_SETTIMEOUT: sets the timeout in seconds and gives back the one that holds.
        set_timeout, b'W', 6, nix::libc::c_int
    );
}

/// An armed watchdog. Dropping it does not disarm it: only [`Watchdog::disarm`] does.
#[derive(Debug)]
pub struct Watchdog {
    file: File,
}

impl Watchdog {
    /// Opens the device, which arms it.
    pub fn arm(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::options().write(true).open(path)?,
        })
    }

    /// Takes over an already armed device.
    pub fn from_file(file: File) -> Self {
        Self { file }
    }

    /// Asks for a timeout in seconds; gives the one that the device took.
    pub fn set_timeout(&self, seconds: u16) -> io::Result<u32> {
        let mut value = i32::from(seconds);
        // SAFETY: the request reads and writes one int; `value` is one, alive and exclusively ours for the call, and
        // the descriptor is open. No safe wrapper exists for this request.
        unsafe { ioctl::set_timeout(self.file.as_raw_fd(), &raw mut value) }?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    /// Starts the countdown anew.
    pub fn keep_alive(&mut self) -> io::Result<()> {
        self.file.write_all(b"\0")
    }

    /// Says that the end is wanted (the driver's magic letter) and closes the device.
    pub fn disarm(mut self) -> io::Result<()> {
        self.file.write_all(b"V")
    }
}

impl AsFd for Watchdog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
