//! Drivers in the initramfs.
//!
//! Owns: loading what a device or a file system needs. A driver that fails is written down and passed over: the root
//! may well lie on something else.

use std::collections::BTreeSet;

use sys::modules::{self, Database, Outcome, insert};

use crate::log::{Log, chain};

/// The modules of the initramfs; none at all when everything is built in.
#[derive(Debug)]
pub(super) struct Drivers<'a> {
    database: Database,
    command_line: &'a str,
    log: &'a Log,
}

impl<'a> Drivers<'a> {
    pub(super) fn read(command_line: &'a str, log: &'a Log) -> Self {
        let database = modules::folder().map(|folder| Database::read(&folder));
        let database = match database {
            Some(Ok(database)) => database,
            Some(Err(error)) => {
                log.error(&format!("read the module indexes: {error}"));
                Database::default()
            }
            None => Database::default(),
        };
        Self {
            database,
            command_line,
            log,
        }
    }

    /// The drivers of these devices, in the order in which they are worth loading: the watchdog guards the rest
    /// of the boot, the daemons' first keys wait for a source of entropy, and paravirtual and NVMe disks answer at once
    /// where others take seconds.
    pub(super) fn of_devices(&self, aliases: &BTreeSet<String>) -> Vec<String> {
        let mut names: Vec<_> = aliases
            .iter()
            .flat_map(|alias| self.database.names(alias))
            .collect();
        names.sort_by_key(|name| (self.rank(name), name.clone()));
        names.dedup();
        names
    }

    /// Loads what one device or file system asks for.
    pub(super) fn load(&self, request: &str) {
        let names = self.database.names(request);
        self.insert_all(names.iter().map(String::as_str), request);
    }

    /// Loads what makes use of the processor's features.
    pub(super) fn load_for_processor(&self) {
        let names = modules::processor_alias().map(|alias| self.database.names(&alias));
        let names = names.unwrap_or_default();
        self.insert_all(names.iter().map(String::as_str), "the processor");
    }

    /// Loads one driver.
    pub(super) fn load_driver(&self, name: &str) {
        self.insert_all(std::iter::once(name), "a device present");
    }

    fn rank(&self, name: &str) -> u8 {
        let modules = self.database.order(std::iter::once(name));
        let path = modules
            .last()
            .map(|module| module.path.to_string_lossy().into_owned())
            .unwrap_or_default();
        match () {
            () if path.contains("/watchdog/") || path.contains("/hw_random/") => 0,
            () if path.contains("virtio") || path.contains("/nvme/") => 1,
            () => 2,
        }
    }

    fn insert_all<'b>(&self, names: impl Iterator<Item = &'b str>, why: &str) {
        let mut loaded = Vec::new();
        for module in self.database.order(names) {
            match insert(&module, self.command_line) {
                Ok(Outcome::Loaded) => loaded.push(module.name),
                Ok(Outcome::Present) => {}
                Err(error) if error.is_no_device() => {}
                Err(error) => self.log.warn(&chain(&error)),
            }
        }
        if !loaded.is_empty() {
            self.log
                .info(&format!("for {why}: loaded {}", loaded.join(" ")));
        }
    }
}
