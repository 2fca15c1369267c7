//! `osctl gen`: secrets, configs and certificates, made on the operator's machine.

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use config::{DiskSelector, DocumentName, Hostname};
use jiff::{SignedDuration, Timestamp};
use pki::Role;

use crate::connect::parse_node;
use crate::context::{ContextFile, Contexts};
use crate::files::{self, Existing};
use crate::login;
use crate::output;
use crate::secrets::Secrets;

/// What to make.
#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Make the secrets of a new cluster: keep the file safe, everything else is issued from it
    Secrets {
        /// The file to write, mode 0600
        #[arg(long, default_value = "secrets.yaml")]
        file: PathBuf,
        /// What people will call the cluster
        #[arg(long, value_name = "NAME", default_value = "garboard")]
        cluster: DocumentName,
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
    },
    /// Make the config of one node, to be edited and applied
    Config(NodeConfig),
    /// Issue a client certificate, into a context of yours or into a file for somebody else
    Crt(Crt),
}

/// The config of one node.
#[derive(Debug, Args)]
pub(crate) struct NodeConfig {
    /// The node's host name
    hostname: Hostname,
    /// The file that `gen secrets` wrote
    #[arg(long, value_name = "FILE", default_value = "secrets.yaml")]
    secrets: PathBuf,
    /// What the node will be
    #[arg(long, default_value = "control-plane")]
    role: NodeRole,
    /// The disk the node keeps its things on, such as 'serial == "S64GNE0R123456"'; what stands there is left alone
    /// [default: none, so a restart makes it forget them]
    #[arg(long, value_name = "SELECTOR")]
    system_disk: Option<DiskSelector>,
    /// The file to write, mode 0600 [default: HOSTNAME.yaml]
    #[arg(long)]
    file: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NodeRole {
    /// Holds the cluster's authority and issues certificates from it
    ControlPlane,
    /// Holds a certificate of its own alone
    Worker,
}

/// A client certificate.
#[derive(Debug, Args)]
pub(crate) struct Crt {
    /// The name of the context, as the holder will call it
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// The file that `gen secrets` wrote
    #[arg(long, value_name = "FILE", default_value = "secrets.yaml")]
    secrets: PathBuf,
    /// What its holder may do
    #[arg(long, default_value = "admin")]
    role: ClientRole,
    /// Who its holder is, as audit records show it [default: your login name, from USER, LOGNAME or /etc/passwd; admin
    /// where none has it]
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    subject: Option<String>,
    /// How many days it is valid, up to 3650
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// A node of the cluster by the name in its certificate; may be given several times [default: those of the context
    /// that is replaced]
    #[arg(long = "node", value_name = "NAME=ADDRESS")]
    nodes: Vec<String>,
    /// Write a file for `osctl context merge` instead of adding to your contexts
    #[arg(long)]
    file: Option<PathBuf>,
    /// Replace the file or context if it exists
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClientRole {
    /// Everything
    Admin,
    /// Reading, and what does not change the config: reboot, shutdown
    Operator,
    /// Reading, without secrets
    Reader,
    /// Snapshots of etcd
    EtcdBackup,
}

impl From<ClientRole> for Role {
    fn from(role: ClientRole) -> Self {
        match role {
            ClientRole::Admin => Self::Admin,
            ClientRole::Operator => Self::Operator,
            ClientRole::Reader => Self::Reader,
            ClientRole::EtcdBackup => Self::EtcdBackup,
        }
    }
}

/// Makes it.
///
/// Only a certificate for a context needs the file of contexts, so it is asked for then.
pub(crate) fn run(
    generate: Generate,
    contexts: impl FnOnce() -> Result<ContextFile>,
    now: Timestamp,
) -> Result<()> {
    match generate {
        Generate::Secrets {
            file,
            cluster,
            force,
        } => {
            files::write_secret(
                &file,
                &Secrets::generate(cluster, now)?.to_yaml()?,
                existing(force),
            )?;
            output::line(&format!(
                "wrote {}; next: osctl gen config NAME, osctl gen crt --name CONTEXT",
                file.display()
            ))
        }
        Generate::Config(node) => node_config(node, now),
        Generate::Crt(crt) => client(crt, contexts, now),
    }
}

fn node_config(node: NodeConfig, now: Timestamp) -> Result<()> {
    let hostname = node.hostname;
    let role = match node.role {
        NodeRole::ControlPlane => config::Role::ControlPlane,
        NodeRole::Worker => config::Role::Worker,
    };
    let unnamed = node.system_disk.is_none();
    let documents = Secrets::load(&node.secrets)?.node(role, &hostname, node.system_disk, now)?;
    let file = node
        .file
        .unwrap_or_else(|| PathBuf::from(format!("{hostname}.yaml")));
    files::write_secret(&file, &documents.to_yaml()?, existing(node.force))?;
    let file = file.display();
    output::line(&format!(
        "wrote {file}; next: osctl config apply -n ADDRESS --pairing STRING -f {file}"
    ))?;
    if unnamed {
        output::note("it names no disk to keep anything on; --system-disk SELECTOR does");
    }
    Ok(())
}

fn client(crt: Crt, contexts: impl FnOnce() -> Result<ContextFile>, now: Timestamp) -> Result<()> {
    let nodes = crt
        .nodes
        .iter()
        .map(|node| parse_node(node))
        .collect::<Result<Vec<_>>>()?;
    let subject = crt.subject.unwrap_or_else(login::name);
    let lifetime = SignedDuration::from_hours(24 * i64::from(crt.days));
    let context =
        Secrets::load(&crt.secrets)?.client(&subject, crt.role.into(), lifetime, nodes, now)?;
    let mut made = Contexts {
        current: Some(crt.name.clone()),
        contexts: [(crt.name.clone(), context)].into(),
    };
    match crt.file {
        Some(file) => {
            files::write_secret(&file, &serde_yaml::to_string(&made)?, existing(crt.force))?;
            let file = file.display();
            output::line(&format!(
                "wrote {file}; its holder runs: osctl context merge {file}"
            ))
        }
        None => {
            let contexts = contexts()?;
            let before = contexts.load()?.contexts.remove(&crt.name);
            for context in made.contexts.values_mut() {
                context.keep_nodes(before.as_ref());
            }
            super::context::merge(&contexts, made, crt.force)
        }
    }
}

fn existing(force: bool) -> Existing {
    if force {
        Existing::Replace
    } else {
        Existing::Keep
    }
}
