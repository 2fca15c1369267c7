//! `osctl cluster create`: what can be said of a cluster to be.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use provision::{Clusters, Host, Name, Room, accel};

use super::bundle::Bundle;
use super::fit::Asked;
use super::kubernetes::Kubernetes;
use super::plan::Plan;
use super::size::Size;
use super::up::Up;
use crate::context::{ContextFile, Node};
use crate::explain::sentence;
use crate::output;
use crate::progress::Progress;

/// A local cluster to be.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What to call it
    #[arg(long, default_value = "garboard")]
    pub(super) name: Name,
    /// The folder of the image, as `cargo xtask image` builds it
    #[arg(
        long,
        value_name = "DIR",
        default_value = "_out/cloud",
        env = "GARBOARD_IMAGE_DIR"
    )]
    pub(super) image: PathBuf,
    /// What the machines start from
    #[arg(long, default_value = "direct")]
    pub(super) boot: Medium,
    /// UEFI firmware instead of BIOS
    #[arg(long)]
    pub(super) uefi: bool,
    #[command(flatten)]
    pub(super) asked: Asked,
    /// The disk of each machine, such as 4GiB or 100GiB; the host keeps only what is written of it. 0 for none
    #[arg(long, value_name = "SIZE", default_value_t = Size::gib(10))]
    disk: Size,
    /// Machines without a disk, as --disk 0
    #[arg(long, conflicts_with = "disk")]
    no_disk: bool,
    #[command(flatten)]
    pub(super) kubernetes: Kubernetes,
    #[command(flatten)]
    pub(super) bundle: Bundle,
    /// Leave the machines in maintenance mode, to try pairing by hand
    #[arg(long)]
    pub(super) no_config: bool,
}

/// What machines start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Medium {
    /// The kernel that QEMU loads itself, and the root on a disk that all machines share
    Direct,
    /// The ISO image in a drive
    Iso,
    /// The network, by PXE
    Pxe,
}

impl Create {
    /// The disk of a machine.
    pub(super) fn disk(&self) -> Size {
        if self.no_disk { Size::NONE } else { self.disk }
    }

    pub(super) fn run(&self, clusters: &Clusters, file: &ContextFile) -> Result<()> {
        self.check_context(file)?;
        let room = Room::detect();
        let plan = Plan::new(self, room, accel::detect().accel)?;
        let spec = plan.spec()?;
        let own = std::env::current_exe().context("finding osctl itself")?;
        let host = Host::detect()?.fenced_by(own);
        output::note(&format!("accelerator: {}", host.accel.why));
        if plan.kubernetes {
            output::note(&plan.fit.why(self.asked, room));
        }
        let progress = Progress::new();
        let machines = output::counted(plan.roles.len(), "machine");
        progress.step(format!("starting {machines}"));
        let cluster = clusters.create(&host, &spec)?;
        let up = Up {
            plan: &plan,
            cluster: &cluster,
            patience: plan.fit.patience(host.accel.accel, room),
            progress: &progress,
            file,
        };
        // The consoles may say why, so nothing is removed.
        up.run()
            .map_err(|error| anyhow!("{}\n{}", sentence(&error), left(&self.name)))
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
}

/// What to do about a cluster that was not made to the end.
pub(super) fn left(name: &Name) -> String {
    format!(
        "cluster {name} is left as it is: `osctl cluster logs --name {name}` shows its consoles, \
         `osctl cluster destroy --name {name}` removes it"
    )
}
