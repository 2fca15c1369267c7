//! Device mapper: the five requests that a verity device needs.
//!
//! Owns: `struct dm_ioctl` and its variable part, written and read as bytes. Never: the meaning of a target.
//! No libdevmapper: it brings udev and a C library for what are five calls.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// The fixed part of every request: `struct dm_ioctl` of <linux/dm-ioctl.h>.
const HEADER: usize = 312;
/// `struct dm_target_spec` before each target's parameters.
const SPEC: usize = 40;
/// Room for one target with its parameters, or its status.
const BUFFER: usize = 4096;
/// Interface 4.0.0: every request here has existed since then.
const VERSION: u32 = 4;
/// DM_READONLY_FLAG.
const READ_ONLY: u32 = 1;
/// Offsets in the header.
const AT_DATA_SIZE: usize = 12;
const AT_DATA_START: usize = 16;
const AT_TARGET_COUNT: usize = 20;
const AT_FLAGS: usize = 28;
const AT_DEV: usize = 40;
const AT_NAME: usize = 48;
const AT_UUID: usize = 176;

/// The requests, by their numbers in <linux/dm-ioctl.h>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Create = 3,
    Remove = 4,
    /// DM_DEV_SUSPEND without its flag means resume.
    Resume = 6,
    Load = 9,
    Status = 12,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum DmError {
    /// The driver is not there.
    #[error("open /dev/mapper/control")]
    Control(#[source] io::Error),
    /// A name or table is longer than the request has room for.
    #[error("{0} does not fit into a device-mapper request")]
    TooLong(&'static str),
    /// The kernel refused.
    #[error("device mapper: {action} {name}")]
    Refused {
        /// What was asked for.
        action: &'static str,
        /// The device's name.
        name: String,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// How long it is, in sectors of 512 bytes; it begins at 0.
    pub sectors: u64,
    /// The target's type, such as `verity`.
    pub kind: String,
    /// Its parameters.
    pub parameters: String,
}

/// The control device.
#[derive(Debug)]
pub struct Control {
    file: File,
}

impl Control {
    /// Opens the control device; the module must be loaded.
    pub fn open() -> Result<Self, DmError> {
        let file = File::options()
            .read(true)
            .write(true)
            .open("/dev/mapper/control");
        Ok(Self {
            file: file.map_err(DmError::Control)?,
        })
    }

    /// Makes an empty device; gives its minor number, so its node is `/dev/dm-MINOR`.
    pub fn create(&self, name: &str, uuid: &str) -> Result<u32, DmError> {
        let mut request = header(name)?;
        put(&mut request, AT_UUID, uuid.as_bytes(), 128).ok_or(DmError::TooLong("uuid"))?;
        self.call(Request::Create, "create", name, &mut request)?;
        Ok(minor(get_u64(&request, AT_DEV)))
    }

    /// Gives the device a read-only table of one target. It takes effect with [`Control::resume`].
    pub fn load_read_only(&self, name: &str, target: &Target) -> Result<(), DmError> {
        let mut request = table_request(name, target)?;
        self.call(Request::Load, "load the table of", name, &mut request)
    }

    /// Puts the loaded table into effect.
    pub fn resume(&self, name: &str) -> Result<(), DmError> {
        self.call(Request::Resume, "resume", name, &mut header(name)?)
    }

    /// The status line of the first target. For verity: `V` while everything was right, `C` after a wrong block.
    pub fn status(&self, name: &str) -> Result<String, DmError> {
        let mut request = header(name)?;
        self.call(Request::Status, "ask the status of", name, &mut request)?;
        Ok(status_text(&request))
    }

    /// Removes an unused device.
    pub fn remove(&self, name: &str) -> Result<(), DmError> {
        self.call(Request::Remove, "remove", name, &mut header(name)?)
    }

    fn call(
        &self,
        request: Request,
        action: &'static str,
        name: &str,
        buffer: &mut [u8],
    ) -> Result<(), DmError> {
        // _IOWR(0xfd, request, struct dm_ioctl): both directions, the size of the fixed part, type, number.
        let code = (3_u64 << 30) | ((HEADER as u64) << 16) | (0xfd << 8) | request as u64;
        // SAFETY: the request reads and writes at most `data_size` bytes at the pointer; `header` sets that to
        // BUFFER, which is this slice's length, and the slice is exclusively ours for the call. The kernel copies,
        // so its alignment does not matter. The descriptor is open. No safe wrapper exists for these requests.
        let result = unsafe {
            libc::ioctl(
                self.file.as_raw_fd(),
                code as libc::Ioctl,
                buffer.as_mut_ptr(),
            )
        };
        Errno::result(result)
            .map(drop)
            .map_err(|errno| DmError::Refused {
                action,
                name: name.to_owned(),
                errno,
            })
    }
}

/// A request that names a device, its variable part empty.
fn header(name: &str) -> Result<Vec<u8>, DmError> {
    let mut request = vec![0; BUFFER];
    let words = [
        (0, VERSION),
        (AT_DATA_SIZE, BUFFER as u32),
        (AT_DATA_START, HEADER as u32),
    ];
    for (at, value) in words {
        put(&mut request, at, &value.to_ne_bytes(), 4).ok_or(DmError::TooLong("header"))?;
    }
    put(&mut request, AT_NAME, name.as_bytes(), 127).ok_or(DmError::TooLong("name"))?;
    Ok(request)
}

fn table_request(name: &str, target: &Target) -> Result<Vec<u8>, DmError> {
    let too_long = DmError::TooLong("table");
    let mut request = header(name)?;
    let parts: [(usize, &[u8], usize); 5] = [
        (AT_TARGET_COUNT, &1_u32.to_ne_bytes(), 4),
        (AT_FLAGS, &READ_ONLY.to_ne_bytes(), 4),
        (HEADER + 8, &target.sectors.to_ne_bytes(), 8),
        (HEADER + 24, target.kind.as_bytes(), 15),
        (
            HEADER + SPEC,
            target.parameters.as_bytes(),
            BUFFER - HEADER - SPEC - 1,
        ),
    ];
    match parts
        .into_iter()
        .try_for_each(|(at, bytes, room)| put(&mut request, at, bytes, room))
    {
        Some(()) => Ok(request),
        None => Err(too_long),
    }
}

fn status_text(request: &[u8]) -> String {
    if request
        .get(AT_TARGET_COUNT..)
        .and_then(|b| b.first_chunk())
        .map_or(0, |b| u32::from_ne_bytes(*b))
        == 0
    {
        return String::new();
    }
    let start = request
        .get(AT_DATA_START..)
        .and_then(|b| b.first_chunk())
        .map_or(0, |b| u32::from_ne_bytes(*b));
    let text = request.get(start as usize + SPEC..).unwrap_or_default();
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len());
    String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned()
}

/// Writes bytes that fit into `room`.
fn put(buffer: &mut [u8], at: usize, bytes: &[u8], room: usize) -> Option<()> {
    let place = buffer
        .get_mut(at..at + bytes.len())
        .filter(|_| bytes.len() <= room)?;
    place.copy_from_slice(bytes);
    Some(())
}

fn get_u64(buffer: &[u8], at: usize) -> u64 {
    buffer
        .get(at..)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

/// The minor number in the kernel's wide encoding of a device number: bits 0 to 7 and 20 to 31.
fn minor(dev: u64) -> u32 {
    ((dev & 0xff) | ((dev >> 12) & 0xf_ff00)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            sectors: 56,
            kind: "verity".into(),
            parameters: "1 253:0".into(),
        }
    }

    #[test]
    fn a_table_lies_where_the_kernel_looks() {
        let request = table_request("root", &target()).unwrap();
        assert_eq!(request.len(), BUFFER);
        assert_eq!(&request[AT_NAME..AT_NAME + 5], b"root\0");
        assert_eq!(get_u64(&request, HEADER + 8), 56);
        assert_eq!(&request[HEADER + 24..HEADER + 31], b"verity\0");
        assert_eq!(&request[HEADER + SPEC..HEADER + SPEC + 8], b"1 253:0\0");
        // A status answer has the same shape.
        assert_eq!(status_text(&request), "1 253:0");
        assert_eq!(status_text(&header("root").unwrap()), "");
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(matches!(
            header(&"n".repeat(128)),
            Err(DmError::TooLong("name"))
        ));
        let long = Target {
            parameters: "x".repeat(BUFFER),
            ..target()
        };
        assert!(matches!(
            table_request("root", &long),
            Err(DmError::TooLong("table"))
        ));
        let kind = Target {
            kind: "k".repeat(16),
            ..target()
        };
        assert!(matches!(
            table_request("root", &kind),
            Err(DmError::TooLong("table"))
        ));
    }

    #[test]
    fn splits_the_minor_number() {
        assert_eq!(minor(0x0_fe00), 0);
        assert_eq!(minor(0x0_fe03), 3);
        assert_eq!(minor(0x10_fe00), 256);
    }
}
