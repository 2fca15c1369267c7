//! Creating a cluster, step by step as a person would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use config::{DiskSelector, Hostname, Role};
use jiff::{SignedDuration, Timestamp};
use pki::pairing::PairingString;
use provision::spec::{API_PORT, Boot, Bus, ClusterSpec, Disk, SYSTEM, VmSpec};
use provision::{Cluster, Clusters, Deadline, Host, Name};

use super::bundle::Bundle;
use super::kubernetes::Kubernetes;
use super::ready;
use super::size::Size;
use crate::commands::config::{give, request};
use crate::context::{Context, ContextFile, Contexts, Node};
use crate::explain::sentence;
use crate::files::{self, Existing};
use crate::output;
use crate::progress::Progress;
use crate::secrets::{NodePlan, Secrets};

/// The client certificate of a local cluster holds as long as a person may want to play with it.
const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Power-on to maintenance mode with hardware virtualisation; scaled where there is none.
const BOOT: Duration = Duration::from_secs(60);

/// For an answer to a config; scaled likewise.
const ANSWER: Duration = Duration::from_secs(30);

/// A local cluster to be.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What to call it
    #[arg(long, default_value = "garboard")]
    name: Name,
    /// The folder of the image, as `cargo xtask image` builds it
    #[arg(
        long,
        value_name = "DIR",
        default_value = "_out/cloud",
        env = "GARBOARD_IMAGE_DIR"
    )]
    image: PathBuf,
    /// What the machines start from
    #[arg(long, default_value = "direct")]
    boot: Medium,
    /// UEFI firmware instead of BIOS
    #[arg(long)]
    uefi: bool,
    /// How many control planes, 1 to 9
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    control_planes: u8,
    /// How many workers, up to 50
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=50))]
    workers: u8,
    /// Memory of each machine in MiB, 128 or more [default: 1024, with --kubernetes 2048]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(128..=1_048_576))]
    memory: Option<u32>,
    /// The disk of each machine, such as 4GiB or 100GiB; the host keeps only what is written of it. 0 for none
    #[arg(long, value_name = "SIZE", default_value_t = Size::gib(10))]
    disk: Size,
    /// Machines without a disk, as --disk 0
    #[arg(long, conflicts_with = "disk")]
    no_disk: bool,
    #[command(flatten)]
    kubernetes: Kubernetes,
    #[command(flatten)]
    bundle: Bundle,
    /// Leave the machines in maintenance mode, to try pairing by hand
    #[arg(long)]
    no_config: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Medium {
    /// The kernel that QEMU loads itself, and the root on a disk that all machines share
    Direct,
    /// The ISO image in a drive
    Iso,
    /// The network, by PXE
    Pxe,
}

impl Create {
    /// Its name.
    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    pub(super) fn run(&self, clusters: &Clusters, file: &ContextFile) -> Result<()> {
        self.check_context(file)?;
        let disk = self.disk() != Size::NONE;
        self.kubernetes
            .check(self.control_planes, self.workers, self.memory(), disk)?;
        let roles = self.roles()?;
        let spec = self.spec(&roles)?;
        let host = Host::detect()?;
        output::note(&format!("accelerator: {}", host.accel.why));
        let progress = Progress::new();
        let machines = output::counted(roles.len(), "machine");
        progress.step(format!("starting {machines}"));
        let cluster = clusters.create(&host, &spec)?;
        let up = self.bring_up(&cluster, &host, &roles, &progress, file);
        // The consoles may say why, so nothing is removed.
        up.map_err(|error| anyhow!("{}\n{}", sentence(&error), left(&self.name)))
    }

    /// Refuses a name that belongs to a context of another cluster, which would be replaced, and perhaps the only key
    /// to that cluster with it. A context of a local cluster that is gone may go.
    fn check_context(&self, file: &ContextFile) -> Result<()> {
        let contexts = file.load()?;
        let local = |node: &Node| node.address.starts_with("127.0.0.1:");
        let taken = contexts.contexts.get(self.name.as_str());
        if taken.is_some_and(|taken| !taken.nodes.iter().all(local)) && !self.no_config {
            bail!(
                "{} has a context {} of another cluster; choose another --name, or take it out with `osctl context remove {}`",
                file.path().display(),
                self.name,
                self.name
            );
        }
        Ok(())
    }

    fn bring_up(
        &self,
        cluster: &Cluster,
        host: &Host,
        roles: &[(Hostname, Role)],
        progress: &Progress,
        file: &ContextFile,
    ) -> Result<()> {
        let nodes: Vec<_> = cluster
            .vms()
            .iter()
            .map(|vm| node(cluster, &vm.spec.name))
            .collect::<Result<_>>()?;
        let paired = nodes
            .iter()
            .map(|node| wait_for_maintenance(cluster, host, node, progress));
        let paired = paired.collect::<Result<Vec<_>>>()?;
        if self.no_config {
            for (node, pairing) in nodes.iter().zip(&paired) {
                progress.done(&format!(
                    "{} waits at {} for: {}",
                    node.name,
                    node.address,
                    pairing.reveal()
                ));
            }
            return Ok(());
        }
        let now = Timestamp::now();
        let secrets = self.secrets(cluster, now)?;
        let context = secrets.client("local", pki::Role::Admin, LIFETIME, nodes.clone(), now)?;
        for ((node, pairing), (hostname, role)) in nodes.iter().zip(&paired).zip(roles) {
            progress.step(format!("{}: applying its config", node.name));
            let plan = NodePlan {
                role: *role,
                hostname: hostname.clone(),
                disk: self.system_disk()?,
                kubernetes: secrets.endpoint().cloned(),
            };
            let documents = secrets.node(&plan, now)?.to_yaml()?;
            let patience = host.accel.accel.scale(ANSWER);
            on_runtime(give(
                pairing,
                &node.address,
                request(documents.into_bytes()),
                patience,
            ))?;
        }
        for node in &nodes {
            let disk = self.disk() != Size::NONE;
            ready::wait(&context, node, disk, host, progress)?;
            progress.done(&format!("{} is ready at {}", node.name, node.address));
        }
        remember(self.name.as_str(), context, file)?;
        progress.done(&format!(
            "cluster {} is the current context; try: osctl version",
            self.name
        ));
        if let Some(next) = self.kubernetes.next(cluster) {
            progress.done(&next);
        }
        Ok(())
    }

    /// The secrets of the cluster, in its folder.
    fn secrets(&self, cluster: &Cluster, now: Timestamp) -> Result<Secrets> {
        let mut secrets = Secrets::generate(self.name.as_str().parse()?, now)?;
        let lease = cluster.vms().first().and_then(|vm| vm.lease);
        if let Some(endpoint) = self.kubernetes.endpoint(lease)? {
            secrets.set_endpoint(endpoint);
        }
        files::write_secret(
            &cluster.folder().join("secrets.yaml"),
            &secrets.to_yaml()?,
            Existing::Replace,
        )?;
        Ok(secrets)
    }

    /// Every machine's name and role, control planes first.
    fn roles(&self) -> Result<Vec<(Hostname, Role)>> {
        let named = |kind: &str, number: u8| format!("{}-{kind}-{number}", self.name);
        let planes =
            (1..=self.control_planes).map(|number| (named("cp", number), Role::ControlPlane));
        let workers = (1..=self.workers).map(|number| (named("worker", number), Role::Worker));
        let parse = |(name, role): (String, Role)| {
            Ok((name.parse().with_context(|| self.too_long(&name))?, role))
        };
        planes.chain(workers).map(parse).collect()
    }

    fn too_long(&self, machine: &str) -> String {
        format!(
            "{} is too long a name for a cluster with a machine {machine}",
            self.name
        )
    }

    fn spec(&self, roles: &[(Hostname, Role)]) -> Result<ClusterSpec> {
        let bundle = self.bundle.file(&self.image)?;
        let images = bundle.is_some() || self.boot == Medium::Iso;
        self.kubernetes.check_parts(images, !self.no_config)?;
        let vm = |(hostname, role): &(Hostname, Role)| {
            let name: Name = hostname
                .as_str()
                .parse()
                .with_context(|| self.too_long(hostname.as_str()))?;
            let mut vm = VmSpec::new(name, self.memory(), self.boot()?);
            vm.uefi = self.uefi;
            if self.boot == Medium::Direct {
                let root = self.part("rootfs.img")?;
                vm.disks.push(Disk::shared(root, Bus::Virtio));
            }
            vm.disks.extend(self.disk().bytes().map(Disk::system));
            vm.disks.extend(bundle.as_ref().map(Disk::bundle));
            self.kubernetes.equip(&mut vm, *role);
            Ok(vm)
        };
        let tftp = (self.boot == Medium::Pxe)
            .then(|| self.part("pxe"))
            .transpose()?;
        Ok(ClusterSpec {
            name: self.name.clone(),
            tftp,
            closed: false,
            vms: roles.iter().map(vm).collect::<Result<_>>()?,
        })
    }

    fn memory(&self) -> u32 {
        self.memory.unwrap_or_else(|| self.kubernetes.memory())
    }

    fn disk(&self) -> Size {
        if self.no_disk { Size::NONE } else { self.disk }
    }

    /// What tells the disk of a machine from others, when it has one.
    fn system_disk(&self) -> Result<Option<DiskSelector>> {
        let selector = || format!("serial == \"{SYSTEM}\"").parse();
        let selector = self.disk().bytes().map(|_| selector()).transpose();
        selector.context("selecting the disk of the machine")
    }

    fn boot(&self) -> Result<Boot> {
        Ok(match self.boot {
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
        let folder = self.image.display();
        let missing = || {
            format!(
                "there is no whole image in {folder}: build one with `cargo xtask image`, or name its folder with --image: {name}"
            )
        };
        self.image.join(name).canonicalize().with_context(missing)
    }
}

fn command_line(file: &Path) -> Result<String> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(text.trim().to_owned())
}

fn node(cluster: &Cluster, name: &Name) -> Result<Node> {
    let forwarded = cluster.vm(name)?.endpoint(API_PORT);
    let address = forwarded.with_context(|| format!("the API of {name} is not forwarded"))?;
    Ok(Node {
        name: name.to_string(),
        address: address.to_string(),
    })
}

/// Reads the pairing string off the console.
fn wait_for_maintenance(
    cluster: &Cluster,
    host: &Host,
    node: &Node,
    progress: &Progress,
) -> Result<PairingString> {
    progress.step(format!("{}: booting", node.name));
    let name: Name = node.name.parse()?;
    let mut console = cluster.console(&name);
    let deadline = Deadline::after(host.accel.accel.scale(BOOT));
    let found = cluster.wait(
        &mut console,
        &name,
        "waiting in maintenance mode",
        deadline,
        |facts, _| {
            facts
                .addresses
                .values()
                .any(|of_link| !of_link.is_empty())
                .then(|| facts.pairing.clone())
                .flatten()
        },
    )?;
    found
        .as_str()
        .parse()
        .context("reading the pairing string off the console")
}

fn remember(name: &str, context: Context, file: &ContextFile) -> Result<()> {
    file.change(|contexts| {
        let made = Contexts {
            current: None,
            contexts: [(name.to_owned(), context)].into(),
        };
        contexts.merge(made, true)?;
        contexts.current = Some(name.to_owned());
        Ok(())
    })
}

/// What to do about a cluster that was not made to the end.
pub(super) fn left(name: &Name) -> String {
    format!(
        "cluster {name} is left as it is: `osctl cluster logs --name {name}` shows its consoles, \
         `osctl cluster destroy --name {name}` removes it"
    )
}

/// Runs one call from this blocking thread.
pub(super) fn on_runtime<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Handle::current().block_on(call)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    #[test]
    fn a_machine_with_a_disk_is_told_that_it_is_the_nodes() {
        let selector = |line: &str| {
            let line = Line::try_parse_from(line.split(' ')).expect("a command line");
            let selector = line.create.system_disk().expect("a selector");
            selector.map(|it| it.to_string())
        };
        let own = Some("serial == \"system\"".to_owned());
        assert_eq!(selector("create"), own);
        assert_eq!(selector("create --disk 512MiB"), own);
        assert_eq!(selector("create --disk 0"), None);
        assert_eq!(selector("create --no-disk"), None);
    }
}
