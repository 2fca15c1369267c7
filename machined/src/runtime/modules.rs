//! The kernel's loaded modules, written into the state.

use std::fs;
use std::io;

use jiff::Timestamp;
use resources::runtime::KernelModule;
use store::{CommitError, Resource, Spec, Store, Transaction};
use thiserror::Error;

/// Who writes modules.
const WRITER: &str = "runtime.modules.status";

/// Where the kernel lists them.
const LIST: &str = "/proc/modules";

/// Why the modules in the state are not those of the kernel.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModulesError {
    /// The kernel's list.
    #[error("reading {LIST}")]
    Read(#[source] io::Error),
    /// The state.
    #[error("writing modules")]
    Commit(#[source] CommitError),
}

/// Writes what is loaded now.
///
/// # Errors
/// The list cannot be read or the state refuses.
pub fn record(store: &Store, now: Timestamp) -> Result<(), ModulesError> {
    let text = fs::read_to_string(LIST).map_err(ModulesError::Read)?;
    let loaded = parse(&text);
    let snapshot = store.snapshot();
    let namespace = KernelModule::DEFINITION.namespace;
    let mut transaction = Transaction::owned(WRITER).caused_outside("the kernel's module list");
    for gone in snapshot.list_as::<KernelModule>(namespace) {
        if !loaded.iter().any(|(name, _)| **name == *gone.metadata.id) {
            transaction = transaction.destroy(gone.metadata.reference());
        }
    }
    for (name, module) in loaded {
        transaction = transaction.put(Resource::in_default(name, module));
    }
    store
        .commit(transaction, now)
        .map(drop)
        .map_err(ModulesError::Commit)
}

/// The lines of `/proc/modules`: name, size, references, users separated and ended by commas, state, address.
fn parse(text: &str) -> Vec<(String, KernelModule)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, bytes) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        let users = words
            .nth(1)?
            .split(',')
            .filter(|user| !user.is_empty() && *user != "-");
        Some((
            name,
            KernelModule {
                bytes,
                used_by: users.map(str::to_owned).collect(),
            },
        ))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_names_sizes_and_users() {
        let text = "virtio_net 86016 0 - Live 0x0\nfailover 12288 1 net_failover,virtio_net, Live 0x0\nbad line\n";
        let modules = parse(text);
        assert_eq!(modules.len(), 2);
        assert_eq!(
            modules[0].1,
            KernelModule {
                bytes: 86016,
                used_by: vec![]
            }
        );
        assert_eq!(modules[1].1.used_by, ["net_failover", "virtio_net"]);
    }
}
