//! What sysfs says of disks. What is not there is left empty: drivers differ in what they tell.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use resources::block::{Bus, Disk};

/// The unit of every size in sysfs, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

/// The header of a SCSI page of vital product data, before its text (SPC-4, 7.8).
const PAGE_HEADER: usize = 4;

/// The disks by the kernel's names of them: what stands for hardware, so no loop device, no device mapper.
pub(super) fn disks(sys: &Path) -> io::Result<BTreeMap<String, Disk>> {
    let mut disks = BTreeMap::new();
    for entry in fs::read_dir(sys.join("block"))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // One that is pulled out meanwhile is none any more.
        if let Ok(folder) = entry.path().canonicalize()
            && folder.join("device").exists()
        {
            disks.insert(name.clone(), disk(&name, &folder));
        }
    }
    Ok(disks)
}

fn disk(name: &str, folder: &Path) -> Disk {
    let text = |file: &str| attribute(folder, file);
    let number = |file: &str| text(file).parse::<u64>().unwrap_or_default();
    let first = |files: &[&str]| {
        let mut texts = files.iter().map(|file| text(file));
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    };
    Disk {
        path: format!("/dev/{name}"),
        bytes: number("size") * SECTOR,
        sector_bytes: text("queue/logical_block_size").parse().unwrap_or_default(),
        bus: bus(folder),
        model: first(&["device/model", "device/name"]),
        serial: Some(first(&["serial", "device/serial"]))
            .filter(|serial| !serial.is_empty())
            .unwrap_or_else(|| page(folder, "device/vpd_pg80")),
        wwid: first(&["wwid", "device/wwid"]),
        rotational: number("queue/rotational") == 1,
        read_only: number("ro") == 1,
        removable: number("removable") == 1,
        bus_path: sys::pci::address(folder).unwrap_or_default().to_owned(),
        partitions: partitions(folder),
    }
}

fn attribute(folder: &Path, file: &str) -> String {
    let bytes = fs::read(folder.join(file)).unwrap_or_default();
    clean(&bytes)
}

/// The text of a page of vital product data.
fn page(folder: &Path, file: &str) -> String {
    let bytes = fs::read(folder.join(file)).unwrap_or_default();
    clean(bytes.get(PAGE_HEADER..).unwrap_or_default())
}

/// What a disk says of itself may be anything: only what can be printed is kept, without the padding around it.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let printable: String = text
        .chars()
        .filter(|character| !character.is_control() && *character != char::REPLACEMENT_CHARACTER)
        .collect();
    printable.trim().to_owned()
}

/// The bus by the way to the device; the outer ones come first, since disks behind USB speak SCSI, and so do ATA disks.
fn bus(folder: &Path) -> Bus {
    let parts: Vec<_> = folder
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .collect();
    let has = |prefix: &str| {
        let is = |part: &&str| {
            let number = part.strip_prefix(prefix);
            number.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        };
        parts.iter().any(is)
    };
    let known = [
        ("usb", Bus::Usb),
        ("virtio", Bus::Virtio),
        ("nvme", Bus::Nvme),
        ("mmc", Bus::Mmc),
        ("ata", Bus::Ata),
        ("host", Bus::Scsi),
    ];
    let found = known.into_iter().find(|(prefix, _)| has(prefix));
    found.map(|(_, bus)| bus).unwrap_or_default()
}

fn partitions(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut partitions: Vec<(u32, String)> = entries
        .filter_map(|entry| {
            let number = fs::read_to_string(entry.path().join("partition")).ok()?;
            let name = entry.file_name().into_string().ok()?;
            Some((number.trim().parse().ok()?, name))
        })
        .collect();
    partitions.sort();
    partitions.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A sysfs with one device at this place, with these attributes.
    fn sysfs(place: &str, attributes: &[(&str, &[u8])]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("devices").join(place);
        for (file, content) in attributes {
            let path = device.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let block = sys.path().join("block");
        fs::create_dir_all(&block).unwrap();
        symlink(&device, block.join(device.file_name().unwrap())).unwrap();
        sys
    }

    fn only(sys: &tempfile::TempDir) -> Disk {
        let disks = disks(sys.path()).unwrap();
        assert_eq!(disks.len(), 1);
        disks.into_values().next().unwrap()
    }

    #[test]
    fn a_virtio_disk_with_partitions() {
        let sys = sysfs(
            "pci0000:00/0000:00:02.0/virtio0/block/vda",
            &[
                ("device/uevent", b""),
                ("size", b"4096\n"),
                ("queue/logical_block_size", b"4096\n"),
                ("queue/rotational", b"1\n"),
                ("serial", b"root"),
                ("ro", b"1\n"),
                ("vda1/partition", b"1\n"),
                ("vda2/partition", b"2\n"),
                ("vda10/partition", b"10\n"),
                ("holders/partition-less", b""),
            ],
        );
        let expected = Disk {
            path: "/dev/vda".to_owned(),
            bytes: 4096 * 512,
            sector_bytes: 4096,
            bus: Bus::Virtio,
            serial: "root".to_owned(),
            rotational: true,
            read_only: true,
            bus_path: "0000:00:02.0".to_owned(),
            partitions: ["vda1", "vda2", "vda10"].map(str::to_owned).to_vec(),
            ..Disk::default()
        };
        assert_eq!(only(&sys), expected);
    }

    #[test]
    fn an_ata_disk_tells_its_serial_number_in_a_page() {
        let sys = sysfs(
            "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda",
            &[
                ("device/model", b"QEMU HARDDISK   \n"),
                ("device/vpd_pg80", b"\0\x80\0\x14      QM00005       "),
                ("device/wwid", b"t10.ATA     QEMU HARDDISK\n"),
            ],
        );
        let disk = only(&sys);
        assert_eq!((disk.bus, disk.bytes), (Bus::Ata, 0));
        assert_eq!(disk.model, "QEMU HARDDISK");
        assert_eq!(disk.serial, "QM00005");
        assert_eq!(disk.wwid, "t10.ATA     QEMU HARDDISK");
    }

    #[test]
    fn the_bus_is_told_by_the_way_to_the_disk() {
        for (place, expected) in [
            (
                "0000:00:04.0/usb1/1-1/1-1:1.0/host3/target3:0:0/3:0:0:0/block/sdb",
                Bus::Usb,
            ),
            ("0000:00:05.0/nvme/nvme0/nvme0n1", Bus::Nvme),
            (
                "0000:00:06.0/virtio3/host4/target4:0:0/4:0:0:1/block/sdc",
                Bus::Virtio,
            ),
            (
                "platform/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0",
                Bus::Mmc,
            ),
            (
                "0000:00:07.0/host5/target5:0:0/5:0:0:0/block/sdd",
                Bus::Scsi,
            ),
            ("vbd-51712/block/xvda", Bus::Other),
        ] {
            assert_eq!(bus(Path::new(place)), expected, "{place}");
        }
    }

    #[test]
    fn what_has_no_hardware_is_no_disk_and_lies_are_not_printed() {
        let loopback = sysfs("virtual/block/loop0", &[("size", b"8\n")]);
        assert_eq!(disks(loopback.path()).unwrap(), BTreeMap::new());
        let evil = sysfs(
            "usb1/block/sda",
            &[
                ("device/model", b"\x1b[2Jnice\xff\n disk \n"),
                ("size", b"-1"),
            ],
        );
        let evil = only(&evil);
        assert_eq!((evil.model.as_str(), evil.bytes), ("[2Jnice disk", 0));
    }
}
