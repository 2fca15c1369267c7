//! What is known at start and never changes: the machine, the versions, the types of resources.

use std::fs;

use jiff::Timestamp;
use resources::runtime::{GARBOARD, MachineStatus, THIS, Version};
use store::meta::Namespace;
use store::{CommitError, Registry, Resource, Store, Transaction};

use crate::runtime::machine::Machine;

/// Who writes facts.
const WRITER: &str = "machined";

/// Writes the facts.
///
/// # Errors
/// The state refuses.
pub fn record(
    store: &Store,
    registry: &Registry,
    machine: &Machine,
    now: Timestamp,
) -> Result<(), CommitError> {
    let mut transaction = Transaction::owned(WRITER).caused_outside("start");
    for definition in registry.definitions() {
        transaction = transaction.put(definition.to_spec().into_resource());
    }
    for (name, purpose) in resources::NAMESPACES {
        let description = purpose.to_owned();
        transaction = transaction.put(Resource::in_default(name, Namespace { description }));
    }
    let version = Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: machine.kernel.clone(),
        architecture: std::env::consts::ARCH.to_owned(),
        root_hash: sys::cmdline::last(&machine.command_line, "garboard.root")
            .unwrap_or_default()
            .to_owned(),
    };
    let transaction = transaction.put(Resource::in_default(GARBOARD, version));
    let transaction = transaction.put(Resource::in_default(THIS, status(machine)));
    store.commit(transaction, now).map(drop)
}

fn status(machine: &Machine) -> MachineStatus {
    let dmi = |name: &str| text(&format!("/sys/class/dmi/id/{name}"));
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    MachineStatus {
        machine_id: machine.machine_id.clone(),
        boot_id: machine.boot_id.clone(),
        manufacturer: dmi("sys_vendor"),
        product: dmi("product_name"),
        serial: dmi("product_serial"),
        uuid: machine.uuid.clone(),
        processors: u32::try_from(processors).unwrap_or(u32::MAX),
        memory_bytes: memory(&text("/proc/meminfo")),
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// `MemTotal:  1234 kB`, in bytes.
fn memory(meminfo: &str) -> u64 {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
