//! The disks that a node could keep its data on, and how a person is told of them. Pure.

use std::collections::BTreeMap;

use ::config::{DiskBus, DiskFacts, DiskSelector, DiskSelectorError};
use resources::block::{Bus, Disk, SystemDiskSpec};

use super::plan::Wanted;

/// The disks that the config's selector fits; what cannot be written is none of them.
///
/// # Errors
/// When the selector does not parse, which no config has that was accepted.
pub(super) fn fitting(
    spec: &SystemDiskSpec,
    disks: &BTreeMap<String, Disk>,
) -> Result<Wanted, DiskSelectorError> {
    let selector: DiskSelector = spec.selector.parse()?;
    let fits =
        |(name, disk): &(&String, &Disk)| is_usable(disk) && selector.fits(&facts(name, disk));
    let fitting = disks.iter().filter(fits);
    Ok(Wanted {
        fitting: fitting.map(|(name, _)| name.clone()).collect(),
        wipe: spec.wipe,
    })
}

/// What a selector looks at in a disk, whose id is the kernel's name of it.
#[must_use]
pub(super) fn facts<'a>(id: &'a str, disk: &'a Disk) -> DiskFacts<'a> {
    DiskFacts {
        name: id,
        size: disk.bytes,
        model: &disk.model,
        serial: &disk.serial,
        wwid: &disk.wwid,
        bus_path: &disk.bus_path,
        bus: match disk.bus {
            Bus::Other => DiskBus::Other,
            Bus::Virtio => DiskBus::Virtio,
            Bus::Nvme => DiskBus::Nvme,
            Bus::Ata => DiskBus::Ata,
            Bus::Scsi => DiskBus::Scsi,
            Bus::Usb => DiskBus::Usb,
            Bus::Mmc => DiskBus::Mmc,
        },
        rotational: disk.rotational,
        removable: disk.removable,
    }
}

/// Whether a node could keep anything on a disk: it can be written, and is more than an empty drive.
pub(super) fn is_usable(disk: &Disk) -> bool {
    !disk.read_only && disk.bytes > 0
}

/// The disks for a person who has to choose.
pub(super) fn list(disks: &BTreeMap<String, Disk>) -> String {
    let each = disks.iter().filter(|(_, disk)| disk.bytes > 0);
    let all: Vec<_> = each.map(|(name, disk)| describe(name, disk)).collect();
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    }
}

/// A disk for a person.
pub(super) fn describe(name: &str, disk: &Disk) -> String {
    let mut facts = vec![size(disk.bytes), crate::word(&disk.bus)];
    let own = [&disk.model, &disk.serial].into_iter();
    facts.extend(own.filter(|it| !it.is_empty()).cloned());
    if disk.read_only {
        facts.push("read-only".to_owned());
    }
    format!("{name} ({})", facts.join(", "))
}

fn size(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    if bytes >= 10 * GIB {
        format!("{} GiB", bytes / GIB)
    } else {
        format!("{} MiB", bytes >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_calls_a_bus_as_the_resource_does() {
        for bus in DiskBus::ALL {
            let disk = Disk {
                bus: serde_yaml::from_str(bus.word()).unwrap(),
                bytes: 1 << 30,
                serial: "a".to_owned(),
                ..Disk::default()
            };
            let facts = facts("sda", &disk);
            assert_eq!(facts.bus, bus);
            assert_eq!(
                (facts.name, facts.size, facts.serial),
                ("sda", 1 << 30, "a")
            );
        }
    }
}
