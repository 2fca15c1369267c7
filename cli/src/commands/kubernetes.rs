//! `osctl bootstrap`, `osctl kubeconfig`, `osctl health` and `osctl upgrade-k8s`: the Kubernetes cluster of the nodes.

pub(crate) mod bootstrap;
pub(crate) mod file;
mod health;
pub(crate) mod merge;
mod recover;
pub(crate) mod seen;
mod upgrade;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::v1alpha1::KubeconfigRequest;
use api::v1alpha1::cluster_service_client::ClusterServiceClient;
use clap::Subcommand;
use serde::Serialize;
use tonic::transport::Channel;

use crate::fleet::{Session, within};
use crate::output::{self, Format};

/// What there is to do about Kubernetes.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Have a Kubernetes cluster begin on one node of its control plane
    ///
    /// Say it once for a cluster, to one node; the other nodes join by themselves. Said again it changes nothing. It waits until the
    /// API server answers and knows the node.
    Bootstrap(bootstrap::Bootstrap),
    /// Get a kubeconfig of an administrator, for kubectl
    ///
    /// It is merged into the file kubectl reads, $KUBECONFIG or ~/.kube/config, and becomes its current context. Its certificate
    /// ends after a while; the same command gets another one.
    Kubeconfig(Kubeconfig),
    /// Check in order what a cluster that is well has, and wait for what is missing
    ///
    /// Of each node: that its API answers, the stage, memory, volumes, disk and time; of Kubernetes: etcd and its members, the kubelet, that an
    /// API server is reached. Then of all nodes of the cluster: that it knows them, that its control planes are the members of etcd, that
    /// what these run is ready, that the nodes are Ready with a kube-proxy each, that CoreDNS is, and that new pods come to the
    /// nodes. Nodes without Kubernetes have the first of these alone. What other pods do is for `osctl get pods` and kubectl.
    Health(health::Check),
    /// Upgrade Kubernetes on all nodes of the cluster, one at a time
    ///
    /// First every node fetches the images. Then each node of the control plane gets its config with the version, and is waited for;
    /// their controller managers, schedulers and kubelets follow by themselves when all API servers are new. Then kube-proxy and
    /// CoreDNS, where they have the images that a node gave them; then the workers, one by one. Containers go on meanwhile. What
    /// Kubernetes' rules of version skew forbid is refused. Said again, it goes on where it was cut off.
    #[command(name = "upgrade-k8s")]
    Upgrade(upgrade::Upgrade),
}

/// What is asked for, and where it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Kubeconfig {
    /// The file, which is made or merged into; `-` for standard output [default: what kubectl reads]
    file: Option<PathBuf>,
    /// For how many hours it holds, a week at most
    #[arg(long, value_name = "HOURS", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=168))]
    hours: u64,
    /// Where kubectl finds the API server, when that is not the cluster's own endpoint: a forwarded port, such as
    /// https://127.0.0.1:6443
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Replace another cluster of the same name in the file
    #[arg(long)]
    force: bool,
    /// Leave the current context of the file as it is
    #[arg(long)]
    keep_context: bool,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: String,
    context: String,
    expires: String,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: Command, format: Format) -> Result<()> {
    match command {
        Command::Bootstrap(command) => bootstrap::run(session, &command, format).await,
        Command::Kubeconfig(command) => kubeconfig(session, &command, format).await,
        Command::Health(command) => health::run(session, &command, format).await,
        Command::Upgrade(command) => upgrade::run(session, &command, format).await,
    }
}

async fn kubeconfig(session: &Session, command: &Kubeconfig, format: Format) -> Result<()> {
    let lifetime = Duration::from_secs(command.hours * 3600);
    session
        .one(|_, channel| async move {
            let asked = ask(channel, lifetime, command.server.as_deref());
            let Given {
                text: kubeconfig,
                expires,
            } = within(session.patience, asked).await?;
            if command.file.as_deref() == Some(Path::new("-")) {
                return output::raw(kubeconfig.as_bytes());
            }
            let path = match &command.file {
                Some(path) => path.clone(),
                None => file::usual()?,
            };
            let context = write(&path, &kubeconfig, command)?;
            let written = Written {
                file: path.display().to_string(),
                context,
                expires: expires.to_string(),
            };
            if format != Format::Table {
                return output::value(format, &written);
            }
            output::line(&format!(
                "{}: context {}, until {}",
                written.file,
                written.context,
                output::second(expires)
            ))
        })
        .await
}

/// A kubeconfig as a node gave it.
pub(crate) struct Given {
    /// The file, which leads to where it was asked to.
    pub(crate) text: String,
    /// The end of its certificate.
    pub(crate) expires: jiff::Timestamp,
}

/// Asks a node of the control plane for a kubeconfig that holds so long, and leads to `server` instead of the cluster's own endpoint.
pub(crate) async fn ask(
    channel: Channel,
    lifetime: Duration,
    server: Option<&str>,
) -> Result<Given> {
    let request = KubeconfigRequest {
        lifetime_seconds: lifetime.as_secs(),
    };
    let mut node = ClusterServiceClient::new(channel);
    let answer = node.kubeconfig(request).await?.into_inner();
    let expires = answer.expires.unwrap_or_default();
    let expires = jiff::Timestamp::new(expires.seconds, 0)
        .context("the node says something strange about when it ends")?;
    let text = match server {
        Some(server) => merge::led_to(&answer.kubeconfig, server)?,
        None => answer.kubeconfig,
    };
    Ok(Given { text, expires })
}

/// Writes a kubeconfig, or merges it into the one that is there; gives the name of its context.
fn write(path: &Path, text: &str, command: &Kubeconfig) -> Result<String> {
    file::change(path, |old| {
        let merged = merge::merged(old, text, !command.keep_context, command.force)?;
        Ok((merged.entry.context, Some(merged.text)))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const USUAL: Kubeconfig = Kubeconfig {
        file: None,
        hours: 12,
        server: None,
        force: false,
        keep_context: false,
    };

    const OWN: &str = "clusters: [{name: lab, cluster: {server: 'https://a', certificate-authority-data: QQ==}}]\n\
                       contexts: [{name: admin@lab, context: {cluster: lab, user: me}}]\nusers: []\ncurrent-context: admin@lab\n";

    #[test]
    fn what_else_is_in_the_file_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/config");
        assert_eq!(write(&path, OWN, &USUAL).expect("written"), "admin@lab");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "clusters: 3\n").expect("written");
        let refused = write(&path, OWN, &USUAL).expect_err("it is no kubeconfig");
        assert!(
            format!("{refused:#}").contains("left as it is"),
            "{refused:#}"
        );
        assert_eq!(
            std::fs::read_to_string(&path).expect("there"),
            "clusters: 3\n"
        );
    }

    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("dotfile"), folder.path().join("config"));
        std::fs::write(&file, "").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        write(&link, OWN, &USUAL).expect("written");
        assert!(link.is_symlink());
        let text = std::fs::read_to_string(&file).expect("there");
        assert!(text.contains("current-context: admin@lab"), "{text}");
        let refused = write(folder.path(), OWN, &USUAL).expect_err("a folder");
        assert!(refused.to_string().contains("is no file"), "{refused}");
    }
}
