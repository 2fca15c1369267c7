//! What a cluster shall be: plain data, checked once before anything is started.

mod disk;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::name::Name;

pub(crate) use disk::check_size;
pub use disk::{Bus, Disk, OwnDisk, SYSTEM, Serial, SerialError, Unfit};

/// QEMU's user network keeps this many leases; a further machine would get no address.
pub const MOST_VMS: usize = 16;

/// The port of the node's API: forwarded for every machine unless a spec says otherwise.
pub const API_PORT: u16 = 50000;

/// A cluster: a network and the machines on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Its name, unique for the user.
    pub name: Name,
    /// The folder that the network serves by TFTP, with `boot.ipxe` in it; needed when a machine boots by PXE.
    pub tftp: Option<PathBuf>,
    /// The machines reach each other, and what the network itself offers (leases, files by TFTP), and nothing else: neither
    /// this host nor the world. This host reaches their ports all the same.
    #[serde(default)]
    pub closed: bool,
    /// The machines, in order.
    pub vms: Vec<VmSpec>,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmSpec {
    /// Its name, unique in the cluster.
    pub name: Name,
    /// Memory in MiB.
    pub memory: u32,
    /// Processors.
    pub cpus: u32,
    /// What it starts from.
    pub boot: Boot,
    /// UEFI instead of BIOS.
    pub uefi: bool,
    /// Its disks, in order.
    pub disks: Vec<Disk>,
    /// Its network card.
    pub nic: Nic,
    /// What its clock says when it is started, as `YYYY-MM-DDTHH:MM:SS` in UTC; the host's time without.
    pub clock: Option<String>,
    /// The machine's ports that can be reached from this host's loopback.
    pub ports: Vec<u16>,
    /// The machine starts with its cable pulled; [`crate::Cluster::restore`] plugs it in.
    pub cut: bool,
    /// A second serial port, for a program that tests put into the machine: [`crate::Cluster::second_serial`].
    #[serde(default)]
    pub second_serial: bool,
}

impl VmSpec {
    /// A machine with one processor, a virtio card and the API's port forwarded.
    pub fn new(name: Name, memory: u32, boot: Boot) -> Self {
        Self {
            name,
            memory,
            cpus: 1,
            boot,
            uefi: false,
            disks: Vec::new(),
            nic: Nic::Virtio,
            clock: None,
            ports: vec![API_PORT],
            cut: false,
            second_serial: false,
        }
    }
}

/// What a machine starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// A kernel that QEMU puts into memory itself.
    Direct {
        /// The kernel.
        kernel: PathBuf,
        /// The initramfs.
        initramfs: PathBuf,
        /// The kernel command line; `console=ttyS0` must be in it for the console to be seen.
        cmdline: String,
    },
    /// An ISO image, attached in one of the ways people do it.
    Iso {
        /// The image.
        image: PathBuf,
        /// Where it is attached.
        bus: Bus,
    },
    /// The network: the card's iPXE fetches `boot.ipxe` from the cluster's TFTP folder.
    Pxe,
    /// The first of its disks.
    Disk,
}

/// A network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nic {
    /// virtio-net.
    Virtio,
    /// An Intel card as found in real machines.
    E1000e,
}

impl Nic {
    pub(crate) fn device(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-net-pci",
            Self::E1000e => "e1000e",
        }
    }
}

/// Why a cluster cannot be made as asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SpecError {
    /// Too few or too many machines.
    #[error("a cluster has 1 to {MOST_VMS} machines, not {found}: the network has no more leases")]
    Count {
        /// How many were asked for.
        found: usize,
    },
    /// Two machines of one name.
    #[error("two machines are called {name}")]
    Twice {
        /// The name.
        name: Name,
    },
    /// PXE without a folder to serve.
    #[error("{vm} boots by PXE, but the cluster has no TFTP folder")]
    NoTftp {
        /// The machine.
        vm: Name,
    },
    /// A file that is to be used does not exist.
    #[error("{vm} needs {}, which does not exist", file.display())]
    NoFile {
        /// The machine.
        vm: Name,
        /// The file.
        file: PathBuf,
    },
    /// A disk that cannot be.
    #[error("disk {number} of {vm} cannot be made")]
    Disk {
        /// The machine.
        vm: Name,
        /// Which of its disks, from 0 on.
        number: usize,
        /// Why.
        #[source]
        source: Unfit,
    },
    /// Booting from a disk that is not there.
    #[error("{vm} boots from its first disk, but has none")]
    NoDisk {
        /// The machine.
        vm: Name,
    },
    /// A processor or memory number that makes no machine.
    #[error("{vm} needs at least one processor and 64 MiB of memory")]
    Size {
        /// The machine.
        vm: Name,
    },
}

impl ClusterSpec {
    /// Checks the whole spec, the existence of its files included.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.vms.is_empty() || self.vms.len() > MOST_VMS {
            return Err(SpecError::Count {
                found: self.vms.len(),
            });
        }
        let mut names = BTreeSet::new();
        for vm in &self.vms {
            let name = || vm.name.clone();
            if !names.insert(&vm.name) {
                return Err(SpecError::Twice { name: name() });
            }
            if vm.boot == Boot::Pxe && self.tftp.is_none() {
                return Err(SpecError::NoTftp { vm: name() });
            }
            if vm.boot == Boot::Disk && vm.disks.is_empty() {
                return Err(SpecError::NoDisk { vm: name() });
            }
            if vm.cpus == 0 || vm.memory < 64 {
                return Err(SpecError::Size { vm: name() });
            }
            vm.check_disks()?;
            if let Some(file) = vm.files().into_iter().find(|file| !file.exists()) {
                let file = file.clone();
                return Err(SpecError::NoFile { vm: name(), file });
            }
        }
        Ok(())
    }
}

impl VmSpec {
    /// Its disks that are its alone, with their numbers among all its disks.
    pub(crate) fn own_disks(&self) -> impl Iterator<Item = (usize, &OwnDisk)> {
        let numbered = self.disks.iter().enumerate();
        numbered.filter_map(|(number, disk)| match disk {
            Disk::Own(own) => Some((number, own)),
            Disk::Shared { .. } => None,
        })
    }

    fn check_disks(&self) -> Result<(), SpecError> {
        self.own_disks().try_for_each(|(number, disk)| {
            disk.check().map_err(|source| SpecError::Disk {
                vm: self.name.clone(),
                number,
                source,
            })
        })
    }

    fn files(&self) -> Vec<&PathBuf> {
        let shared = self.disks.iter().filter_map(|disk| match disk {
            Disk::Shared { file, .. } => Some(file),
            Disk::Own(_) => None,
        });
        let mut files: Vec<&PathBuf> = shared.collect();
        match &self.boot {
            Boot::Direct {
                kernel, initramfs, ..
            } => files.extend([kernel, initramfs]),
            Boot::Iso { image, .. } => files.push(image),
            Boot::Pxe | Boot::Disk => {}
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(name: &str, boot: Boot) -> VmSpec {
        VmSpec::new(name.parse().unwrap(), 256, boot)
    }

    fn cluster(vms: Vec<VmSpec>) -> ClusterSpec {
        ClusterSpec {
            name: "t".parse().unwrap(),
            tftp: Some("/".into()),
            closed: false,
            vms,
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused_before_anything_starts() {
        assert_eq!(cluster(vec![]).check(), Err(SpecError::Count { found: 0 }));
        let many = (0..17).map(|n| vm(&format!("n{n}"), Boot::Pxe)).collect();
        assert_eq!(cluster(many).check(), Err(SpecError::Count { found: 17 }));
        let twice = cluster(vec![vm("a", Boot::Pxe), vm("a", Boot::Pxe)]);
        assert!(matches!(twice.check(), Err(SpecError::Twice { .. })));
        let mut no_tftp = cluster(vec![vm("a", Boot::Pxe)]);
        assert_eq!(no_tftp.check(), Ok(()));
        no_tftp.tftp = None;
        assert!(matches!(no_tftp.check(), Err(SpecError::NoTftp { .. })));
        let iso = Boot::Iso {
            image: "/nonexistent.iso".into(),
            bus: Bus::Usb,
        };
        let error = cluster(vec![vm("a", iso)]).check().unwrap_err();
        assert!(error.to_string().contains("/nonexistent.iso"), "{error}");
        let disk = cluster(vec![vm("a", Boot::Disk)]);
        assert!(matches!(disk.check(), Err(SpecError::NoDisk { .. })));
        let mut small = vm("a", Boot::Pxe);
        small.disks = vec![Disk::shared("/", Bus::Nvme), Disk::system(4096)];
        let small = cluster(vec![small]).check();
        assert!(matches!(small, Err(SpecError::Disk { number: 1, .. })));
    }
}
