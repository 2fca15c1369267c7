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
use crate::secrets::Secrets;

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
    /// Secrets of an earlier cluster of this name instead of new ones, such as to recover it from a snapshot of etcd
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub(super) secrets: Option<PathBuf>,
    /// Give each machine a second serial port, for a program that tests put into it
    #[arg(long, hide = true)]
    pub(super) second_serial: bool,
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
        let secrets = self.former()?;
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
            secrets,
            patience: plan.fit.patience(host.accel.accel, room),
            progress: &progress,
            file,
        };
        // The consoles may say why, so nothing is removed.
        up.run()
            .map_err(|error| anyhow!("{}\n{}", sentence(&error), left(&self.name)))
    }

    /// The secrets that it is to have, which are of a cluster of its name: snapshots and kubeconfigs know it by that.
    fn former(&self) -> Result<Option<Secrets>> {
        let Some(file) = &self.secrets else {
            return Ok(None);
        };
        let secrets = Secrets::load(file)?;
        match secrets.cluster() {
            Some(name) if name.as_str() != self.name.as_str() => bail!(
                "{} has the secrets of cluster {name}: create that one with --name {name}, or leave --secrets out",
                file.display()
            ),
            _ => Ok(Some(secrets)),
        }
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
    fn secrets_are_those_of_the_cluster_of_that_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secrets.yaml");
        let name = "first".parse().expect("a name");
        let made = Secrets::generate(name, jiff::Timestamp::UNIX_EPOCH).expect("secrets");
        std::fs::write(&file, made.to_yaml().expect("YAML")).expect("a file");
        let former = |name: &str| {
            let file = file.display().to_string();
            let line = ["create", "--name", name, "--secrets", &file];
            let line = Line::try_parse_from(line).expect("a command line");
            line.create.former().map_err(|error| error.to_string())
        };
        let same = former("first").expect("they fit").expect("secrets");
        assert_eq!(same.to_yaml().ok(), made.to_yaml().ok());
        let other = former("second").err().expect("of another cluster");
        assert!(other.contains("--name first"), "{other}");
        let none = Line::try_parse_from(["create"]).expect("a command line");
        assert!(none.create.former().expect("nothing to read").is_none());
    }
}
