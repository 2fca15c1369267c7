//! `osctl reset` and `osctl wipe`: emptying the disks of nodes.
//!
//! Nothing is emptied that its owner has not named: on a terminal the node says which disk it is, and the name is typed;
//! elsewhere it is an argument.

use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::v1alpha1::maintenance_service_client::MaintenanceServiceClient;
use api::v1alpha1::storage_service_client::StorageServiceClient;
use api::v1alpha1::{ResetRequest, ResetResponse, WipeDiskRequest, WipeDiskResponse};
use clap::{Args, Subcommand};
use serde::Serialize;
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::config::paired;
use super::departure::{self, Drain};
use super::power;
use crate::connect;
use crate::exit::usage;
use crate::fleet::{Session, within};
use crate::output::{self, Format};
use crate::progress::Progress;

/// What empties disks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Empty a node's own disk and restart it, which leaves it in maintenance mode
    ///
    /// Pods that can be on other nodes of the Kubernetes cluster go there first, as before a reboot. Config, identity, logs and all that
    /// pods kept on the node are gone; the partitions and an installed system stay. On a terminal you are asked for the name of the
    /// disk.
    Reset(Reset),
    /// Make a disk blank that a node does not use
    ///
    /// Partition tables and the marks of file systems, RAID and volume managers go; the rest is not overwritten. The node's
    /// own disk and disks in use are refused.
    Wipe(Wipe),
}

/// How to reach the node, and whether to do it.
#[derive(Debug, Args)]
struct How {
    /// The pairing string on the console of a node that waits in maintenance mode
    #[arg(long, value_name = "STRING")]
    pairing: Option<String>,
    /// Say what would be emptied and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// A reset.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// The node's own disk, by its name, such as nvme0n1, or its serial number: a sign that you know what is emptied
    #[arg(long, value_name = "DISK")]
    disk: Option<String>,
    /// Reset a node of the control plane though its etcd cannot leave the others, as when a majority of them is lost;
    /// `osctl etcd remove-member` removes it afterwards
    #[arg(long, conflicts_with = "pairing")]
    abandon_etcd: bool,
    /// Wait until the node has started again
    #[arg(long, conflicts_with_all = ["pairing", "dry_run"])]
    wait: bool,
    #[command(flatten)]
    drain: Drain,
    #[command(flatten)]
    how: How,
}

/// The wiping of a disk.
#[derive(Debug, Args)]
pub(crate) struct Wipe {
    /// The disk, by its name as `osctl disks` has it, such as sdb, or its serial number
    disk: String,
    /// Do not ask again
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    how: How,
}

/// What was emptied, or would be.
#[derive(Clone, Debug, Serialize)]
struct Emptied {
    disk: String,
    description: String,
    done: bool,
}

/// A node that can be asked to empty disks.
enum Node<'a> {
    /// A running one, by its name.
    Running(&'a Session, String),
    /// One that waits in maintenance mode, over the connection that has paired.
    Waiting(Channel, String, Duration),
}

/// Empties a disk; `by_certificate` is for a node that runs, `asked` and `patience` for one that waits in maintenance mode.
pub(crate) async fn run(
    command: Command,
    by_certificate: impl Fn() -> Result<Session>,
    asked: &[String],
    patience: Duration,
    format: Format,
) -> Result<()> {
    let (Command::Reset(Reset { how, .. }) | Command::Wipe(Wipe { how, .. })) = &command;
    let session;
    let node = match &how.pairing {
        Some(pairing) => Node::waiting(pairing, asked, patience).await?,
        None => {
            session = by_certificate()?;
            Node::Running(&session, session.one_changed()?)
        }
    };
    match &command {
        Command::Reset(command) => reset(&node, command, format).await,
        Command::Wipe(command) => wipe(&node, command, format).await,
    }
}

impl Node<'_> {
    async fn waiting(pairing: &str, asked: &[String], patience: Duration) -> Result<Self> {
        let [address] = asked else {
            return Err(usage("--pairing is for one node; name its address with -n"));
        };
        let address = connect::with_port(address)?;
        let pairing = pairing.parse().context("reading the pairing string")?;
        let channel = paired(&pairing, &address, patience).await?;
        Ok(Self::Waiting(channel, address, patience))
    }

    fn name(&self) -> &str {
        match self {
            Self::Running(_, name) | Self::Waiting(_, name, _) => name,
        }
    }

    async fn reset(&self, request: ResetRequest) -> Result<Emptied> {
        let dry_run = request.dry_run;
        let answer = self.ask(|service| {
            let request = request.clone();
            async move {
                match service {
                    Service::Running(mut it) => it.reset(request).await,
                    Service::Waiting(mut it) => it.reset(request).await,
                }
            }
        });
        let ResetResponse { disk, description } = answer.await?;
        let done = !dry_run;
        Ok(Emptied {
            disk,
            description,
            done,
        })
    }

    async fn wipe(&self, disk: &str, dry_run: bool) -> Result<Emptied> {
        let disk = disk.to_owned();
        let request = WipeDiskRequest { disk, dry_run };
        let answer = self.ask(|service| {
            let request = request.clone();
            async move {
                match service {
                    Service::Running(mut it) => it.wipe_disk(request).await,
                    Service::Waiting(mut it) => it.wipe_disk(request).await,
                }
            }
        });
        let WipeDiskResponse { disk, description } = answer.await?;
        let done = !dry_run;
        Ok(Emptied {
            disk,
            description,
            done,
        })
    }

    /// Calls the service that a node has for this in the state it is in.
    async fn ask<T, F>(&self, call: impl Fn(Service) -> F) -> Result<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let answer = match self {
            Self::Running(session, name) => {
                let call = |channel| {
                    let answer = call(Service::Running(StorageServiceClient::new(channel)));
                    async move { Ok(answer.await?) }
                };
                session.again(name, call).await
            }
            Self::Waiting(channel, _, patience) => {
                let service = MaintenanceServiceClient::new(channel.clone());
                let answer = call(Service::Waiting(service));
                within(*patience, async { Ok(answer.await?) }).await
            }
        };
        Ok(answer.context(self.name().to_owned())?.into_inner())
    }
}

/// What a node has for emptying disks.
enum Service {
    Running(StorageServiceClient<Channel>),
    Waiting(MaintenanceServiceClient<Channel>),
}

/// Empties a node's own disk and restarts it.
async fn reset(node: &Node<'_>, reset: &Reset, format: Format) -> Result<()> {
    let named = reset.disk.as_deref().unwrap_or_default();
    let would = |disk: &str| ResetRequest {
        disk: disk.to_owned(),
        dry_run: true,
        ..ResetRequest::default()
    };
    if reset.how.dry_run {
        let would = node.reset(would(named)).await?;
        let text = match would.disk.as_str() {
            "" => {
                "keeps nothing on a disk; a reset restarts it, and it forgets its config".to_owned()
            }
            _ => format!(
                "a reset empties STATE and EPHEMERAL of {}",
                would.description
            ),
        };
        return show(node, &would, &text, format);
    }
    let named = match named {
        "" => {
            let would = node.reset(would("")).await?;
            ask(
                node,
                &would,
                "a reset empties STATE and EPHEMERAL of",
                "--disk",
            )?;
            would.disk
        }
        named => named.to_owned(),
    };
    let request = ResetRequest {
        disk: named,
        dry_run: false,
        abandon_etcd: reset.abandon_etcd,
        drain: Some(reset.drain.request()),
    };
    let (done, text) = match node {
        Node::Waiting(..) => (node.reset(request).await?, RESET),
        Node::Running(session, name) => {
            let done = reset_running(session, name, request, reset.wait).await;
            done.with_context(|| name.clone())?
        }
    };
    show(node, &done, text, format)
}

/// What is said of a node that is reset and not waited for.
const RESET: &str = "is reset: it restarts, and waits in maintenance mode for a config";

/// Resets a running node; what was emptied, and what became of the node.
async fn reset_running(
    session: &Session,
    name: &str,
    request: ResetRequest,
    wait: bool,
) -> Result<(Emptied, &'static str)> {
    let before = match wait {
        true => Some(session.again(name, power::boot).await?),
        false => None,
    };
    let progress = Progress::new();
    let order = |channel| async move {
        let answer = StorageServiceClient::new(channel).reset(request).await?;
        Ok(answer.into_inner())
    };
    let (emptied, _) = departure::order(session, name, &progress, order).await?;
    let ResetResponse { disk, description } = emptied;
    let done = Emptied {
        disk,
        description,
        done: true,
    };
    if !wait {
        return Ok((done, RESET));
    }
    progress.step(format!("{name}: restarts"));
    let back = power::comes_back(session, name, before.as_deref()).await?;
    Ok((done, back))
}

/// Makes a disk blank that a node does not use.
async fn wipe(node: &Node<'_>, wipe: &Wipe, format: Format) -> Result<()> {
    let would = node.wipe(&wipe.disk, true).await?;
    if wipe.how.dry_run {
        let text = format!("{} would be made blank", would.description);
        return show(node, &would, &text, format);
    }
    if !wipe.yes {
        ask(node, &would, "this makes blank", "--yes")?;
    }
    // By the name that was shown: a serial number might be another disk's by now.
    let done = node.wipe(&would.disk, false).await?;
    let text = format!("{} is blank", done.description);
    show(node, &done, &text, format)
}

fn show(node: &Node<'_>, emptied: &Emptied, text: &str, format: Format) -> Result<()> {
    if format == Format::Table {
        return output::line(&format!("{}: {text}", node.name()));
    }
    output::values_per_node(format, &[(node.name().to_owned(), emptied.clone())])
}

/// Lets a person type the name of the disk; where nobody can, an argument says it.
fn ask(node: &Node<'_>, would: &Emptied, what: &str, argument: &str) -> Result<()> {
    if would.disk.is_empty() {
        return Ok(());
    }
    let what = format!("{}: {what} {}", node.name(), would.description);
    if !output::is_terminal() || !io::IsTerminal::is_terminal(&io::stdin()) {
        let value = if argument == "--disk" {
            format!(" {}", would.disk)
        } else {
            String::new()
        };
        return Err(usage(format!("{what}; say so with {argument}{value}")));
    }
    output::note(&what);
    let mut error = io::stderr();
    write!(error, "Type the name of the disk to go on: ").and_then(|()| error.flush())?;
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("reading what you type")?;
    if line.trim() != would.disk {
        return Err(usage("that is not its name; nothing was changed"));
    }
    Ok(())
}
