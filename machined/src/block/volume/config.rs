//! The disk the config names.

use std::collections::BTreeMap;

use ::config::{DiskBus, DiskFacts, DiskSelector, DiskSelectorError, Documents};
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::block::{Bus, Disk, SYSTEM_DISK, SystemDiskSpec};
use resources::config::MachineConfig;

use super::keeper::is_usable;
use super::plan::Wanted;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "block.volume.config" {
        reads MachineConfig;
        writes SystemDiskSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents).map(|spec| (SYSTEM_DISK.to_owned(), spec)));
        Ok(Outcome::Done)
    }
}

/// What `SystemDisk` says, if there is one.
#[must_use]
pub fn wanted(documents: &Documents) -> Option<SystemDiskSpec> {
    documents.system_disk().map(|it| SystemDiskSpec {
        selector: it.selector.to_string(),
        wipe: it.wipe,
    })
}

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
pub fn facts<'a>(id: &'a str, disk: &'a Disk) -> DiskFacts<'a> {
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

#[cfg(test)]
mod tests {
    use cosi::Runtime;
    use jiff::Timestamp;
    use resources::block;
    use resources::config::ACTIVE;
    use store::{Resource, Store, Transaction};

    use super::*;

    fn active(store: &Store, text: &str) {
        let config = MachineConfig {
            text: text.to_owned(),
            ..MachineConfig::default()
        };
        let config = Resource::in_default(ACTIVE, config);
        let transaction = Transaction::owned("test").put(config);
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    }

    #[tokio::test]
    async fn the_document_becomes_the_spec_and_goes_with_it() {
        let store = Store::new(1);
        let mut runtime = Runtime::new("machined", store.clone());
        runtime.register(Config).unwrap();
        let rest = runtime.rest();
        let spec = || {
            let snapshot = store.snapshot();
            let spec = snapshot.get_as::<SystemDiskSpec>(block::NAMESPACE, SYSTEM_DISK);
            spec.map(|it| (*it.spec).clone())
        };
        let testing = async {
            let document = "apiVersion: garboard/v1alpha1\nkind: SystemDisk\nmatch: serial == \"system\"\nwipe: true\n";
            active(&store, document);
            rest.reached().await;
            let wanted = SystemDiskSpec {
                selector: "serial == \"system\"".to_owned(),
                wipe: true,
            };
            assert_eq!(spec(), Some(wanted));
            active(
                &store,
                "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: a\n",
            );
            rest.reached().await;
            assert_eq!(spec(), None);
        };
        tokio::select! {
            _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
            () = testing => {}
        }
    }

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
