//! What is known about a cluster: `state.json` in its folder.
//!
//! It is written before anything it describes is started, always whole: a reader sees the old text or the new one. It
//! holds the spec too, so that a machine can be started again as it was.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::process::{self, Process};
use crate::spec::{ClusterSpec, VmSpec};

/// The file's name in the cluster's folder.
const FILE: &str = "state.json";

/// What the address of every machine's card begins with: 52:54:00 is the prefix that QEMU's own cards have.
pub(crate) const CARDS: [u8; 5] = [0x52, 0x54, 0x00, 0x67, 0x62];

/// The shape of the file; another one is refused, not guessed at.
const FORMAT: u32 = 1;

/// A cluster as it was made and as far as it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// The start of the host that the processes are of.
    #[serde(default)]
    boot: Option<String>,
    /// The cluster.
    pub name: Name,
    /// The folder that the network serves by TFTP.
    pub tftp: Option<PathBuf>,
    /// Whether the network leads nowhere but to its machines.
    #[serde(default)]
    pub closed: bool,
    /// The network's process, once started.
    pub switch: Option<Process>,
    /// The machines, in the spec's order.
    pub vms: Vec<Vm>,
}

/// A machine of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// What it was asked to be.
    pub spec: VmSpec,
    /// Its card's address.
    pub mac: String,
    /// Its SMBIOS UUID.
    pub uuid: String,
    /// The address that the network leases to it, which it has unless it is configured otherwise.
    pub lease: Option<Ipv4Addr>,
    /// Its ports that can be reached from this host.
    pub forwards: Vec<Forward>,
    /// Its process, once started.
    pub process: Option<Process>,
}

/// A port of a machine, reachable on this host's loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The machine's port.
    pub port: u16,
    /// Where it is reached.
    pub host: SocketAddr,
    /// The machine's address it leads to.
    pub to: Ipv4Addr,
}

/// Why the notes about a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// They cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// They are damaged, or of another version of this program.
    #[error("{} is not a cluster's state", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// They are of another version of this program.
    #[error("{} has format {found}, this program knows {FORMAT}; destroy the cluster and create it anew", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// They cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The address of a machine's card; the network is the cluster's alone.
fn card(number: u8) -> String {
    let bytes = CARDS.iter().chain([&number]);
    let texts: Vec<_> = bytes.map(|byte| format!("{byte:02x}")).collect();
    texts.join(":")
}

impl State {
    /// A cluster of which nothing is there yet. `uuids` gives as many as are asked for.
    pub(crate) fn new(
        spec: &ClusterSpec,
        mut uuids: impl FnMut() -> io::Result<String>,
    ) -> io::Result<Self> {
        let mut vms = Vec::new();
        for (vm, number) in spec.vms.iter().zip(1_u8..) {
            vms.push(Vm {
                spec: vm.clone(),
                mac: card(number),
                uuid: uuids()?,
                lease: None,
                forwards: Vec::new(),
                process: None,
            });
        }
        Ok(Self {
            format: FORMAT,
            boot: process::boot(),
            name: spec.name.clone(),
            tftp: spec.tftp.clone(),
            closed: spec.closed,
            switch: None,
            vms,
        })
    }

    /// Reads the notes of the cluster in this folder.
    pub(crate) fn load(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|source| StateError::Read {
            path: path.clone(),
            source,
        })?;
        let mut state: Self = serde_json::from_str(&text).map_err(|source| StateError::Parse {
            path: path.clone(),
            source,
        })?;
        if state.format == FORMAT {
            state.forget_the_dead(process::boot());
            Ok(state)
        } else {
            let found = state.format;
            Err(StateError::Format { path, found })
        }
    }

    /// No process outlives the host: after its next start, number and time may fit somebody else's.
    fn forget_the_dead(&mut self, boot: Option<String>) {
        if self.boot.is_some() && self.boot != boot {
            self.switch = None;
            self.vms.iter_mut().for_each(|vm| vm.process = None);
        }
        self.boot = boot;
    }

    /// Writes the notes, whole or not at all.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), StateError> {
        let path = folder.join(FILE);
        self.write(&path)
            .map_err(|source| StateError::Write { path, source })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let half = path.with_extension("new");
        let mut file = File::create(&half)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&half, path)
    }

    /// A machine by name.
    pub fn vm(&self, name: &Name) -> Option<&Vm> {
        self.vms.iter().find(|vm| vm.spec.name == *name)
    }

    pub(crate) fn vm_mut(&mut self, name: &Name) -> Option<&mut Vm> {
        self.vms.iter_mut().find(|vm| vm.spec.name == *name)
    }
}

impl Vm {
    /// Where one of its ports is reached from this host.
    pub fn endpoint(&self, port: u16) -> Option<SocketAddr> {
        let forward = self.forwards.iter().find(|forward| forward.port == port)?;
        Some(forward.host)
    }

    /// Whether its process runs.
    pub fn alive(&self) -> bool {
        self.process.is_some_and(Process::alive)
    }

    /// The card's address as bytes.
    pub(crate) fn mac_bytes(&self) -> Option<[u8; 6]> {
        let bytes: Result<Vec<u8>, _> = self
            .mac
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16))
            .collect();
        bytes.ok()?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Boot;

    fn state() -> State {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let spec = ClusterSpec {
            name: name("demo"),
            tftp: None,
            closed: true,
            vms: vec![
                VmSpec::new(name("a"), 256, Boot::Pxe),
                VmSpec::new(name("b"), 256, Boot::Pxe),
            ],
        };
        let mut count = 0;
        State::new(&spec, || {
            count += 1;
            Ok(count.to_string())
        })
        .unwrap()
    }

    #[test]
    fn machines_differ_in_everything_that_identifies_them() {
        let state = state();
        assert_ne!(state.vms[0].mac, state.vms[1].mac);
        assert_ne!(state.vms[0].uuid, state.vms[1].uuid);
        assert_eq!(
            state.vms[1].mac_bytes(),
            Some([0x52, 0x54, 0, 0x67, 0x62, 2])
        );
    }

    #[test]
    fn what_is_saved_is_loaded_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state();
        state.switch = Some(Process { pid: 7, started: 9 });
        state.save(folder.path()).unwrap();
        assert_eq!(State::load(folder.path()).unwrap(), state);

        state.vms[0].process = state.switch;
        state.boot = Some("before the last crash".into());
        state.save(folder.path()).unwrap();
        let after = State::load(folder.path()).unwrap();
        assert_eq!((after.switch, after.vms[0].process), (None, None));
        assert_eq!(after.boot, process::boot());

        state.format = 2;
        state.save(folder.path()).unwrap();
        let error = State::load(folder.path()).unwrap_err();
        assert!(matches!(error, StateError::Format { found: 2, .. }));
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = State::load(folder.path()).unwrap_err();
        assert!(matches!(error, StateError::Parse { .. }));
    }
}
