//! The machines of a cluster to be: how many, what they are called, what each of them has.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use config::{DiskSelector, Role};
use provision::spec::{Boot, Bus, ClusterSpec, Disk, SYSTEM, VmSpec};
use provision::{Accel, Name, Room};

use super::create::{Create, Medium};
use super::fit::Fit;
use super::kubernetes;

/// What was asked for, on this computer.
pub(super) struct Plan<'a> {
    /// What was asked for.
    pub(super) create: &'a Create,
    /// Whether machines run Kubernetes.
    pub(super) kubernetes: bool,
    /// How many there are, and what each gets.
    pub(super) fit: Fit,
    /// Every machine's name and role, control planes first.
    pub(super) roles: Vec<(Name, Role)>,
}

impl<'a> Plan<'a> {
    /// Plans; refuses what would not work.
    pub(super) fn new(create: &'a Create, room: Room, accel: Accel) -> Result<Self> {
        let kubernetes = create.kubernetes.wanted(!create.no_config)?;
        let fit = if kubernetes {
            let fit = Fit::kubernetes(create.asked, room, accel);
            kubernetes::check(&fit, create.disk().bytes().is_some())?;
            if !create.kubernetes.no_bootstrap {
                create.kubernetes.kubectl.check(&create.name)?;
            }
            fit
        } else {
            Fit::bare(create.asked)
        };
        fit.check()?;
        let roles = roles(&create.name, &fit)?;
        Ok(Self {
            create,
            kubernetes,
            fit,
            roles,
        })
    }

    /// The machines.
    pub(super) fn spec(&self) -> Result<ClusterSpec> {
        let Create { name, image, .. } = self.create;
        let bundle = self.create.bundle.file(image)?;
        let boot = self.boot()?;
        let root = (self.create.boot == Medium::Direct)
            .then(|| self.part("rootfs.img"))
            .transpose()?;
        if self.kubernetes {
            kubernetes::check_images(bundle.is_some() || self.create.boot == Medium::Iso)?;
        }
        let vm = |(name, role): &(Name, Role)| {
            let machine = self.fit.machine(*role);
            let mut vm = VmSpec::new(name.clone(), machine.memory, boot.clone());
            vm.cpus = machine.cpus;
            vm.uefi = self.create.uefi;
            vm.second_serial = self.create.second_serial;
            let root = root.as_ref().map(|it| Disk::shared(it, Bus::Virtio));
            vm.disks.extend(root);
            vm.disks
                .extend(self.create.disk().bytes().map(Disk::system));
            vm.disks.extend(bundle.as_ref().map(Disk::bundle));
            if self.kubernetes {
                vm.ports.extend(kubernetes::port(*role));
            }
            vm
        };
        let tftp = (self.create.boot == Medium::Pxe)
            .then(|| self.part("pxe"))
            .transpose()?;
        Ok(ClusterSpec {
            name: name.clone(),
            tftp,
            closed: false,
            vms: self.roles.iter().map(vm).collect(),
        })
    }

    /// What tells the disk of a machine from others, when it has one.
    pub(super) fn system_disk(&self) -> Result<Option<DiskSelector>> {
        let selector = || format!("serial == \"{SYSTEM}\"").parse();
        let selector = self.create.disk().bytes().map(|_| selector()).transpose();
        selector.context("selecting the disk of the machine")
    }

    fn boot(&self) -> Result<Boot> {
        Ok(match self.create.boot {
            Medium::Direct => Boot::Direct {
                kernel: self.part("vmlinuz")?,
                initramfs: self.part("initramfs")?,
                cmdline: command_line(&self.part("cmdline")?)?,
            },
            Medium::Iso => Boot::Iso {
                image: self.part("garboard.iso")?,
                bus: Bus::Cdrom,
            },
            Medium::Pxe => Boot::Pxe,
        })
    }

    /// A part of the image, as an absolute path.
    fn part(&self, name: &str) -> Result<PathBuf> {
        let folder = self.create.image.display();
        let missing = || {
            format!(
                "there is no whole image in {folder}: build one with `cargo xtask image`, or name its folder with --image: {name}"
            )
        };
        let part = self.create.image.join(name);
        part.canonicalize().with_context(missing)
    }
}

/// The machines' names and roles.
fn roles(cluster: &Name, fit: &Fit) -> Result<Vec<(Name, Role)>> {
    let named = |kind: &str, number: u8| format!("{cluster}-{kind}-{number}");
    let planes = (1..=fit.planes).map(|number| (named("cp", number), Role::ControlPlane));
    let workers = (1..=fit.workers).map(|number| (named("worker", number), Role::Worker));
    let parse = |(name, role): (String, Role)| {
        Ok((
            name.parse().with_context(|| too_long(cluster, &name))?,
            role,
        ))
    };
    planes.chain(workers).map(parse).collect()
}

fn too_long(cluster: &Name, machine: &str) -> String {
    format!("{cluster} is too long a name for a cluster with a machine {machine}")
}

fn command_line(file: &Path) -> Result<String> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::exit::WrongUsage;

    const ROOM: Room = Room {
        processors: 4,
        memory: 8192,
    };

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn create(line: &str) -> Create {
        let line = Line::try_parse_from(line.split(' '));
        line.expect("a command line").create
    }

    fn plan(create: &Create) -> Plan<'_> {
        Plan::new(create, ROOM, Accel::Kvm).expect("a plan")
    }

    #[test]
    fn a_machine_with_a_disk_is_told_that_it_is_the_nodes() {
        let selector = |line: &str| {
            let selector = plan(&create(line)).system_disk().expect("a selector");
            selector.map(|it| it.to_string())
        };
        let own = Some("serial == \"system\"".to_owned());
        assert_eq!(selector("create --no-kubernetes"), own);
        assert_eq!(selector("create --no-kubernetes --disk 512MiB"), own);
        assert_eq!(selector("create --no-kubernetes --disk 0"), None);
        assert_eq!(selector("create --no-kubernetes --no-disk"), None);
    }

    #[test]
    fn more_machines_than_a_network_has_room_for_are_wrong_usage() {
        let refused = |line: &str| {
            let create = create(line);
            Plan::new(&create, ROOM, Accel::Kvm).err()
        };
        let bare = "create --no-kubernetes --control-planes";
        assert!(refused(&format!("{bare} 9 --workers 7")).is_none());
        let error = refused(&format!("{bare} 9 --workers 8")).expect("too many");
        assert!(error.is::<WrongUsage>(), "{error}");
        let error = error.to_string();
        assert!(error.contains("16 machines at most, not 17"), "{error}");
    }

    /// A folder of an image, and a bundle beside it.
    fn built() -> tempfile::TempDir {
        let out = tempfile::tempdir().expect("a folder");
        let image = out.path().join("cloud");
        std::fs::create_dir(&image).expect("a folder");
        for part in [
            "vmlinuz",
            "initramfs",
            "cmdline",
            "rootfs.img",
            "garboard.iso",
        ] {
            std::fs::write(image.join(part), "").expect("a file");
        }
        out
    }

    #[test]
    fn every_machine_is_what_its_role_needs() {
        let out = built();
        let image = out.path().join("cloud");
        let line = format!(
            "create --kubernetes --no-kubeconfig --second-serial --boot iso --cpus 2 --memory 2048 --image {}",
            image.display()
        );
        let create = create(&line);
        let spec = plan(&create).spec().expect("a spec");
        let told: Vec<_> = spec
            .vms
            .iter()
            .map(|vm| (vm.name.as_str(), &vm.ports))
            .collect();
        assert_eq!(
            told,
            [
                ("garboard-cp-1", &vec![50_000, 6443]),
                ("garboard-worker-1", &vec![50_000])
            ]
        );
        for vm in &spec.vms {
            assert_eq!((vm.cpus, vm.memory, vm.disks.len()), (2, 2048, 1), "{vm:?}");
            assert!(vm.second_serial, "{vm:?}");
        }
    }

    #[test]
    fn kubernetes_needs_images_and_an_image_is_missed_first() {
        let out = built();
        let told = |more: &str, image: &Path| {
            let line = format!(
                "create --kubernetes --no-kubeconfig {more} --image {}",
                image.display()
            );
            let create = create(&line);
            let spec = plan(&create).spec();
            spec.map_err(|error| error.to_string()).map(drop)
        };
        let missing = told("--boot direct", out.path()).expect_err("no image");
        assert!(missing.contains("no whole image"), "{missing}");
        let image = out.path().join("cloud");
        let missing = told("--boot direct", &image).expect_err("no bundle");
        assert!(missing.contains("cargo xtask bundle"), "{missing}");
        assert_eq!(told("--boot iso", &image), Ok(()), "the medium has them");
    }
}
