//! `osctl gen`: secrets, configs and certificates, made on the operator's machine.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use config::{DiskSelector, DocumentName, Hostname, KubernetesEndpoint};
use jiff::{SignedDuration, Timestamp};
use pki::Role;

use crate::connect::parse_node;
use crate::context::{ContextFile, Contexts};
use crate::files::{self, Existing};
use crate::login;
use crate::output;
use crate::secrets::{NodePlan, Secrets};

/// What to make.
#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Make the secrets of a new cluster: keep the file safe, everything else is issued from it
    Secrets(NewSecrets),
    /// Make the config of one node, to be edited and applied
    Config(NodeConfig),
    /// Issue a client certificate, into a context of yours or into a file for somebody else
    Crt(Crt),
}

/// The secrets of a cluster.
#[derive(Debug, Args)]
pub(crate) struct NewSecrets {
    /// The file to write, mode 0600
    #[arg(long, default_value = "secrets.yaml")]
    file: PathBuf,
    /// What people will call the cluster [default: garboard]
    #[arg(long, value_name = "NAME")]
    cluster: Option<DocumentName>,
    /// Where the API of Kubernetes will be reached, for all configs that are made of them: see `gen config --help`
    #[arg(long, value_name = "ADDRESS", value_parser = KubernetesEndpoint::from_host)]
    kubernetes_endpoint: Option<KubernetesEndpoint>,
    /// Add to an existing file what it lacks, as those of an older osctl do; what is in it stays, and the cluster the same
    #[arg(long, conflicts_with = "force")]
    add_missing: bool,
    /// Replace the file if it exists, and with it the cluster: no node of the old one believes the new one
    #[arg(long)]
    force: bool,
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
    /// Where the API of Kubernetes is reached from everywhere: the address or the name of a control plane, or of what is before
    /// several, with a port if that is not 6443 [default: the one of the secrets; where they have none, a node without Kubernetes]
    #[arg(long, value_name = "ADDRESS", value_parser = KubernetesEndpoint::from_host)]
    kubernetes_endpoint: Option<KubernetesEndpoint>,
    /// Leave Kubernetes out
    #[arg(long, conflicts_with = "kubernetes_endpoint")]
    no_kubernetes: bool,
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
        Generate::Secrets(new) if new.add_missing => add_missing(new, now),
        Generate::Secrets(new) => secrets(new, now),
        Generate::Config(node) => node_config(node, now),
        Generate::Crt(crt) => client(crt, contexts, now),
    }
}

/// What a cluster is called that nobody has a name for.
fn unnamed() -> DocumentName {
    "garboard".parse().expect("a name of a document")
}

fn secrets(new: NewSecrets, now: Timestamp) -> Result<()> {
    let file = new.file.display();
    if !new.force && new.file.is_file() {
        bail!(
            "{file} exists; --add-missing adds what it lacks, --force replaces it and makes another cluster"
        );
    }
    let mut secrets = Secrets::generate(new.cluster.unwrap_or_else(unnamed), now)?;
    if let Some(endpoint) = new.kubernetes_endpoint {
        secrets.set_endpoint(endpoint);
    }
    files::write_secret(&new.file, &secrets.to_yaml()?, existing(new.force))?;
    output::line(&format!(
        "wrote {file}; next: osctl gen config NAME, osctl gen crt --name CONTEXT"
    ))
}

/// Whoever has older secrets has a cluster that shall stay what it is.
fn add_missing(new: NewSecrets, now: Timestamp) -> Result<()> {
    let mut secrets = Secrets::load(&new.file)?;
    let file = new.file.display();
    if let (Some(name), Some(own)) = (&new.cluster, secrets.cluster())
        && name != own
    {
        bail!(
            "the cluster of {file} is called {own}, and nodes know it by that; leave --cluster away"
        );
    }
    let mut added = secrets.complete(new.cluster.unwrap_or_else(unnamed), now)?;
    match (new.kubernetes_endpoint, secrets.endpoint()) {
        (Some(endpoint), Some(own)) if endpoint != *own => bail!(
            "{file} has the endpoint {own} already; `osctl gen config --kubernetes-endpoint` writes another into one config"
        ),
        (Some(endpoint), None) => {
            secrets.set_endpoint(endpoint);
            added.push("the endpoint of Kubernetes");
        }
        _ => {}
    }
    if added.is_empty() {
        return output::line(&format!("{file} lacks nothing"));
    }
    files::write_secret(&new.file, &secrets.to_yaml()?, Existing::Replace)?;
    output::line(&format!("added to {file}: {}", added.join(", ")))
}

fn node_config(node: NodeConfig, now: Timestamp) -> Result<()> {
    let hostname = node.hostname;
    let role = match node.role {
        NodeRole::ControlPlane => config::Role::ControlPlane,
        NodeRole::Worker => config::Role::Worker,
    };
    let secrets = Secrets::load(&node.secrets)?;
    if node.kubernetes_endpoint.is_some() && !secrets.has_kubernetes() {
        let file = node.secrets.display();
        bail!(
            "{file} has no secrets of Kubernetes, as it was made by an older osctl: `osctl gen secrets --add-missing --file {file}` adds them and leaves the rest as it is"
        );
    }
    let endpoint = node
        .kubernetes_endpoint
        .or_else(|| secrets.endpoint().cloned());
    let plan = NodePlan {
        role,
        hostname: hostname.clone(),
        disk: node.system_disk,
        kubernetes: endpoint.filter(|_| !node.no_kubernetes),
    };
    let documents = secrets.node(&plan, now)?;
    let file = node
        .file
        .unwrap_or_else(|| PathBuf::from(format!("{hostname}.yaml")));
    files::write_secret(&file, &documents.to_yaml()?, existing(node.force))?;
    let file = file.display();
    output::line(&format!(
        "wrote {file}; next: osctl config apply -n ADDRESS --pairing STRING -f {file}"
    ))?;
    if plan.disk.is_none() {
        output::note("it names no disk to keep anything on; --system-disk SELECTOR does");
    }
    if plan.kubernetes.is_none() && !node.no_kubernetes {
        output::note(
            "it has no Kubernetes, as nobody has said where its API will be; --kubernetes-endpoint ADDRESS does",
        );
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
