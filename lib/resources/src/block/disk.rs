//! A disk, as the kernel reports it.
//!
//! Written by machined in `block`, id: the kernel's name of it, such as `nvme0n1`. The name is of this boot only; what
//! tells disks apart for good is the serial number or the world-wide name.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// How a disk is attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// None of those below.
    #[default]
    Other = 0,
    /// A disk of the hypervisor, virtio-blk or virtio-scsi.
    Virtio = 1,
    /// NVM Express.
    Nvme = 2,
    /// ATA, serial or parallel.
    Ata = 3,
    /// SCSI: SAS, a RAID controller, iSCSI, or the disk of a hypervisor.
    Scsi = 4,
    /// USB.
    Usb = 5,
    /// An SD card or eMMC.
    Mmc = 6,
}

/// One disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "Disks.block.garboard",
    namespace = "block",
    aliases("disk", "disks"),
    columns(
        ("SIZE", "bytes"),
        ("BUS", "bus"),
        ("MODEL", "model"),
        ("SERIAL", "serial"),
    )
)]
pub struct Disk {
    /// The device, such as `/dev/nvme0n1`.
    #[field(1)]
    pub path: String,
    /// The size; 0 for a drive without a medium.
    #[field(2)]
    pub bytes: u64,
    /// The smallest unit that can be addressed.
    #[field(3)]
    pub sector_bytes: u32,
    /// How it is attached.
    #[field(4)]
    pub bus: Bus,
    /// The model, as the maker calls it; empty where the disk does not say.
    #[field(5)]
    pub model: String,
    /// The serial number; empty where the disk does not say.
    #[field(6)]
    pub serial: String,
    /// The world-wide name, such as `eui.0025385b21404321` or `naa.5000c500a1b2c3d4`; empty where the disk has none.
    #[field(7)]
    pub wwid: String,
    /// It has platters that turn, as far as the kernel knows.
    #[field(8)]
    pub rotational: bool,
    /// It cannot be written.
    #[field(9)]
    pub read_only: bool,
    /// Its medium can be taken out.
    #[field(10)]
    pub removable: bool,
    /// The innermost PCI address on the way to it, such as `0000:00:02.0`; empty for none.
    #[field(11)]
    pub bus_path: String,
    /// Its partitions by the kernel's names, in the order of their numbers.
    #[field(12)]
    pub partitions: Vec<String>,
}
