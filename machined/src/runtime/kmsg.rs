//! The kernel log: `/dev/kmsg` parsed into records.
//!
//! One `read` of the device gives exactly one record, `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];TEXT`, followed by
//! lines of `KEY=VALUE` that begin with a space (Documentation/ABI/testing/dev-kmsg). A reader that is overtaken by the
//! kernel's ring gets `EPIPE` once and goes on with the oldest record that is left; that is a gap, not an error.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::libc;
use thiserror::Error;
use tokio::io::unix::AsyncFd;

/// The largest record the kernel hands out: 8 KiB of text and dictionary (`PRINTK_MESSAGE_MAX` is 2 KiB since 6.x, but
/// older kernels wrote up to 8 KiB).
const RECORD_MAX: usize = 8192;

/// Why the kernel log could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KmsgError {
    /// The device could not be opened.
    #[error("opening {0}")]
    Open(PathBuf, #[source] io::Error),
    /// The device could not be read.
    #[error("reading the kernel log")]
    Read(#[source] io::Error),
}

/// One record of the kernel log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Severity, 0 (emergency) to 7 (debug), as syslog has it.
    pub level: u8,
    /// Syslog facility; 0 is the kernel itself, everything else was written to the device.
    pub facility: u32,
    /// Position in the log since power-on.
    pub sequence: u64,
    /// Microseconds since power-on.
    pub micros: u64,
    /// The text, with unprintable bytes escaped by the kernel.
    pub text: String,
}

/// Parses one record; `None` when the bytes do not have the documented form.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Record> {
    let record = String::from_utf8_lossy(bytes);
    let (head, body) = record.split_once(';')?;
    let mut fields = head.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    let micros = fields.next()?.parse().ok()?;
    let text = body.lines().next().unwrap_or_default().to_owned();
    let level = u8::try_from(priority & 7).ok()?;
    Some(Record {
        level,
        facility: priority >> 3,
        sequence,
        micros,
        text,
    })
}

/// A reader that starts at the oldest record the kernel still has.
#[derive(Debug)]
pub struct Reader {
    file: File,
}

impl Reader {
    /// Opens the kernel log at `path` (`/dev/kmsg` on a node).
    ///
    /// # Errors
    /// [`KmsgError::Open`] when the device is missing or may not be read.
    pub fn open(path: &Path) -> Result<Self, KmsgError> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .map_err(|source| KmsgError::Open(path.to_owned(), source))?;
        Ok(Self { file })
    }

    /// The next record that is already there; `None` when the end is reached for now.
    ///
    /// # Errors
    /// [`KmsgError::Read`] when the device fails.
    pub fn next_ready(&mut self) -> Result<Option<Record>, KmsgError> {
        next_ready(&self.file)
    }

    /// Turns the reader into one that waits for records.
    ///
    /// # Errors
    /// [`KmsgError::Read`] when the device cannot be registered with the runtime.
    pub fn follow(self) -> Result<Follower, KmsgError> {
        let inner = super::readable(self.file).map_err(KmsgError::Read)?;
        Ok(Follower { inner })
    }
}

/// A reader that waits for records that are yet to be written.
#[derive(Debug)]
pub struct Follower {
    inner: AsyncFd<File>,
}

impl Follower {
    /// The next record, waiting for it. Cancel-safe: a record is taken only when it is returned.
    ///
    /// # Errors
    /// [`KmsgError::Read`] when the device fails.
    pub async fn next(&mut self) -> Result<Record, KmsgError> {
        loop {
            let mut ready = self.inner.readable().await.map_err(KmsgError::Read)?;
            match next_ready(self.inner.get_ref())? {
                Some(record) => return Ok(record),
                None => ready.clear_ready(),
            }
        }
    }
}

fn next_ready(mut file: &File) -> Result<Option<Record>, KmsgError> {
    let mut buffer = [0; RECORD_MAX];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                // A record that does not parse is passed over: the log must go on.
                if let Some(record) = buffer.get(..length).and_then(parse) {
                    return Ok(Some(record));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Overtaken by the ring: the kernel has already moved us to the oldest record.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) => return Err(KmsgError::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gives_its_level_time_and_text() {
        let record = parse(b"30,410,98765,-;init: stage 2\n SUBSYSTEM=x\n").expect("parses");
        assert_eq!(
            record,
            Record {
                level: 6,
                facility: 3,
                sequence: 410,
                micros: 98765,
                text: "init: stage 2".into()
            }
        );
    }

    #[test]
    fn noise_is_no_record() {
        for noise in [&b""[..], b"6,1", b";", b"x,1,2,-;a", b"6,1,-3,-;a"] {
            assert_eq!(parse(noise), None, "{noise:?}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_still_parses() {
        assert_eq!(
            parse(b"6,1,2,-;a\xffb\n").expect("parses").text,
            "a\u{fffd}b"
        );
    }
}
