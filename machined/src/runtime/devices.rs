//! Devices and their drivers: what the kernel announces gets its module.
//!
//! At start every device that is there already is looked at (coldplug), then announcements are followed. Loading may
//! wait for hardware, so it happens on a blocking thread, never on the runtime's own. What the kernel asks for by
//! itself (`request_module`) does not come through here but through `kernel.modprobe`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sys::modules::{Database, InsertError, Module, Outcome, device_aliases, insert};
use sys::uevent::{Listener, Received};
use thiserror::Error;
use tokio::io::unix::AsyncFd;

/// Why devices cannot be followed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The image's module indexes could not be read.
    #[error("module indexes in {0}")]
    Database(PathBuf, #[source] io::Error),
    /// The kernel does not announce devices to us.
    #[error("listening for devices")]
    Listen(#[source] io::Error),
    /// Loading could not be handed to a thread.
    #[error("loading drivers")]
    Thread(#[source] tokio::task::JoinError),
}

/// Loads the drivers of devices.
#[derive(Debug)]
pub struct Devices {
    database: Arc<Database>,
    command_line: Arc<str>,
    listener: AsyncFd<Listener>,
}

/// What one request for drivers did.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Modules that were not there before.
    pub modules: Vec<String>,
    /// Modules that could not be loaded.
    pub failures: Vec<InsertError>,
}

impl Devices {
    /// Subscribes to announcements; nothing that appears from now on is missed.
    ///
    /// # Errors
    /// The module indexes in `folder` cannot be read, or the kernel refuses the subscription.
    pub fn open(folder: &Path, command_line: &str) -> Result<Self, DeviceError> {
        let database = Database::read(folder)
            .map_err(|source| DeviceError::Database(folder.to_owned(), source))?;
        let listener = Listener::open().map_err(|errno| DeviceError::Listen(errno.into()))?;
        let listener = super::readable(listener).map_err(DeviceError::Listen)?;
        Ok(Self {
            database: Arc::new(database),
            command_line: command_line.into(),
            listener,
        })
    }

    /// Loads drivers for every device that is there.
    ///
    /// # Errors
    /// No thread could be had; a single driver that fails is reported in the result.
    pub async fn coldplug(&self) -> Result<Loaded, DeviceError> {
        self.load(device_aliases()).await
    }

    /// Waits for announcements and loads drivers for what they announce; comes back too when a module came or went,
    /// whoever did it. Cancel-safe up to the moment of loading.
    ///
    /// # Errors
    /// The subscription broke.
    pub async fn next(&self) -> Result<Loaded, DeviceError> {
        loop {
            let mut ready = self
                .listener
                .readable()
                .await
                .map_err(DeviceError::Listen)?;
            let (mut aliases, mut modules) = (BTreeSet::new(), false);
            loop {
                match self
                    .listener
                    .get_ref()
                    .recv()
                    .map_err(|errno| DeviceError::Listen(errno.into()))?
                {
                    Received::Event(event) => {
                        modules |= event.get("SUBSYSTEM") == Some("module");
                        let alias = event.get("MODALIAS").filter(|_| event.action == "add");
                        aliases.extend(alias.map(str::to_owned));
                    }
                    Received::Overflow => aliases.extend(device_aliases()),
                    Received::Nothing => break,
                }
            }
            ready.clear_ready();
            drop(ready);
            if modules || !aliases.is_empty() {
                return self.load(aliases).await;
            }
        }
    }

    async fn load(&self, aliases: BTreeSet<String>) -> Result<Loaded, DeviceError> {
        let (database, command_line) = (Arc::clone(&self.database), Arc::clone(&self.command_line));
        let load = move || {
            // A node is reached through its network card, so nobody waits for any other driver first.
            let (network, others) = aliases.into_iter().partition(|it| is_network_card(it));
            let mut loaded = Loaded::default();
            for aliases in [network, others] {
                load(wanted(&database, &aliases), &command_line, &mut loaded);
            }
            loaded
        };
        tokio::task::spawn_blocking(load)
            .await
            .map_err(DeviceError::Thread)
    }
}

/// The modules that devices with these aliases need, each after what it needs itself.
fn wanted(database: &Database, aliases: &BTreeSet<String>) -> Vec<Module> {
    let names: BTreeSet<_> = aliases
        .iter()
        .flat_map(|alias| database.names(alias))
        .collect();
    database.order(names.iter().map(String::as_str))
}

fn load(modules: Vec<Module>, command_line: &str, loaded: &mut Loaded) {
    for module in modules {
        match insert(&module, command_line) {
            Ok(Outcome::Loaded) => loaded.modules.push(module.name),
            Ok(_) => {}
            Err(failure) => loaded.failures.push(failure),
        }
    }
}

/// Whether an alias is of a network card: the class of a PCI device (`bc`), or the kind of a virtio device (`d`).
fn is_network_card(alias: &str) -> bool {
    match alias.split_once(':') {
        Some(("pci", device)) => device.contains("bc02"),
        Some(("virtio", device)) => device.starts_with("d00000001"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_cards_are_told_from_other_devices() {
        let cards = [
            "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00",
            "virtio:d00000001v00001AF4",
        ];
        let others = [
            "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01",
            "virtio:d00000002v00001AF4",
            "acpi:PNP0C0C:",
        ];
        assert!(cards.into_iter().all(is_network_card));
        assert!(!others.into_iter().any(is_network_card));
    }

    #[test]
    fn a_driver_comes_after_what_it_needs() {
        let database = Database::from_texts(
            Path::new("/m"),
            "kernel/net_failover.ko: kernel/failover.ko\nkernel/failover.ko:\n\
             kernel/virtio_net.ko: kernel/net_failover.ko kernel/failover.ko\n"
                .to_owned(),
            "alias virtio:d00000001v* virtio_net\n".to_owned(),
            String::new(),
        );
        let modules = wanted(&database, &["virtio:d00000001v00001AF4".to_owned()].into());
        let names: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["failover", "net_failover", "virtio_net"]);
    }
}
