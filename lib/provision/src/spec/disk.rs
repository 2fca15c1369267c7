//! The disks of machines: files that several share and none writes, and files of one machine alone.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The smallest disk that a machine can have of its own: the room that partition tables are aligned to.
const SMALLEST: u64 = 1 << 20;

/// Sizes are whole multiples of this: the largest sector that disks have.
const SECTOR: u64 = 4096;

/// How long a serial number may be: virtio, ATA and NVMe have 20 bytes for it.
const SERIAL: usize = 20;

/// The serial number of the disk that a node installs itself to and keeps its state on.
pub const SYSTEM: &str = "system";

/// The serial number of the disk with container images, which all machines of a cluster share.
const BUNDLE: &str = "bundle";

/// Where a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// A virtio block device.
    Virtio,
    /// A disk on a SATA controller.
    Ahci,
    /// A drive with a disc in it, on a SATA controller.
    Cdrom,
    /// A stick on a USB 3 controller.
    Usb,
    /// An NVMe drive.
    Nvme,
}

/// A disk of a machine.
// Told apart by their fields: the notes of clusters that exist know the first sort only, without a word for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Disk {
    /// A file of the host. Machines never change that file: several may share it.
    Shared {
        /// The file, a raw image.
        file: PathBuf,
        /// Where it is attached.
        bus: Bus,
        /// Its serial number; the bus's usual one without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<Serial>,
    },
    /// A disk of the machine alone.
    Own(OwnDisk),
}

impl Disk {
    /// A file of the host that the machine cannot change.
    pub fn shared(file: impl Into<PathBuf>, bus: Bus) -> Self {
        Self::Shared {
            file: file.into(),
            bus,
            serial: None,
        }
    }

    /// A file with container images for nodes to start pods from, with the serial number `bundle`.
    pub fn bundle(file: impl Into<PathBuf>) -> Self {
        Self::Shared {
            file: file.into(),
            bus: Bus::Virtio,
            serial: Some(Serial(BUNDLE.to_owned())),
        }
    }

    /// An empty disk of so many bytes for a node to keep itself on, with the serial number `system`.
    pub fn system(size: u64) -> Self {
        Self::Own(OwnDisk {
            serial: Some(Serial(SYSTEM.to_owned())),
            ..OwnDisk::new(size, Bus::Virtio)
        })
    }
}

/// A disk that a machine may write. It is a raw file in the cluster's folder, made with the cluster and full of zeros then,
/// of which the host keeps only what was written. It stays over everything that happens to the machine, the loss of its
/// power included, and goes with the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDisk {
    /// Its size in bytes when it is made.
    pub size: u64,
    /// Where it is attached.
    pub bus: Bus,
    /// Its serial number, by which the machine can tell it from others; the bus's usual one without.
    pub serial: Option<Serial>,
    /// Every write, flush and discard goes to a second file too, one after the other, in the format of the kernel's
    /// dm-log-writes: [`crate::Cluster::disk_record`]. That file grows with every write and is never made smaller. For
    /// virtio only: QEMU 7.2 forgets to record the flush that is part of a write with FUA, which others can ask for.
    pub record: bool,
}

impl OwnDisk {
    /// A disk of so many bytes, without a serial number.
    pub fn new(size: u64, bus: Bus) -> Self {
        Self {
            size,
            bus,
            serial: None,
            record: false,
        }
    }

    /// Checks what its fields alone do not say.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        check_size(self.size)?;
        if self.bus == Bus::Cdrom {
            return Err(Unfit::Disc);
        }
        if self.record && self.bus != Bus::Virtio {
            return Err(Unfit::Record);
        }
        Ok(())
    }
}

/// Checks the size of a disk of a machine's own.
pub(crate) fn check_size(size: u64) -> Result<(), Unfit> {
    if size < SMALLEST || !size.is_multiple_of(SECTOR) {
        return Err(Unfit::Size { size });
    }
    Ok(())
}

/// Why a disk of a machine's own cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    /// No disk has this size.
    #[error("{size} bytes are no size for a disk: use a multiple of {SECTOR}, {SMALLEST} or more")]
    Size {
        /// The size.
        size: u64,
    },
    /// A disc is not written.
    #[error("a drive with a disc in it cannot be written: attach the disk to another bus")]
    Disc,
    /// Its record would not be true.
    #[error("only a virtio disk can be recorded")]
    Record,
}

/// The serial number of a disk: 1 to 20 ASCII letters, digits, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(String);

/// Why a text is no serial number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{text:?} is no serial number of a disk: use 1 to {SERIAL} letters, digits, hyphens and underscores"
)]
pub struct SerialError {
    text: String,
}

impl FromStr for Serial {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fine = (1..=SERIAL).contains(&text.len()) && text.bytes().all(plain);
        fine.then(|| Self(text.to_owned()))
            .ok_or_else(|| SerialError {
                text: text.to_owned(),
            })
    }
}

impl TryFrom<String> for Serial {
    type Error = SerialError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_buses_that_no_disk_has() {
        let check = |size| OwnDisk::new(size, Bus::Nvme).check();
        assert_eq!(check(SMALLEST), Ok(()));
        for size in [0, SMALLEST - SECTOR, SMALLEST + 512, u64::MAX] {
            assert_eq!(check(size), Err(Unfit::Size { size }));
        }
        let disc = OwnDisk::new(SMALLEST, Bus::Cdrom).check();
        assert_eq!(disc, Err(Unfit::Disc));
        let recorded = |bus| OwnDisk {
            record: true,
            ..OwnDisk::new(SMALLEST, bus)
        };
        assert_eq!(recorded(Bus::Virtio).check(), Ok(()));
        assert_eq!(recorded(Bus::Nvme).check(), Err(Unfit::Record));
    }

    #[test]
    fn notes_of_clusters_from_before_are_read_and_written_as_they_were() {
        let before = r#"{"file":"/i/rootfs.img","bus":"virtio"}"#;
        let disk: Disk = serde_json::from_str(before).unwrap();
        assert_eq!(disk, Disk::shared("/i/rootfs.img", Bus::Virtio));
        assert_eq!(serde_json::to_string(&disk).unwrap(), before);
        let bundle = Disk::bundle("/i/bundle.img");
        let note = serde_json::to_string(&bundle).unwrap();
        assert!(note.contains(r#""serial":"bundle""#), "{note}");
        assert_eq!(serde_json::from_str::<Disk>(&note).unwrap(), bundle);
    }

    #[test]
    fn serial_numbers_end_no_option_and_fit_every_bus() {
        for text in ["a", "WD-42_x", &"a".repeat(20)] {
            assert_eq!(text.parse::<Serial>().unwrap().to_string(), text);
        }
        for text in ["", "a,b", "a b", "\u{e4}", &"a".repeat(21)] {
            assert!(text.parse::<Serial>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn notes_keep_both_sorts_and_those_of_before() {
        let before = r#"{"file": "/r.img", "bus": "virtio"}"#;
        let shared: Disk = serde_json::from_str(before).unwrap();
        assert_eq!(shared, Disk::shared("/r.img", Bus::Virtio));
        for disk in [shared, Disk::system(1 << 30)] {
            let noted = serde_json::to_string(&disk).unwrap();
            assert_eq!(serde_json::from_str::<Disk>(&noted).unwrap(), disk);
        }
    }
}
