//! Having the Kubernetes cluster of local machines begin, until all of them are Ready.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::fit::Patience;
use crate::commands::kubernetes::bootstrap;
use crate::commands::kubernetes::seen::{self, Seen, Unready};
use crate::commands::kubernetes::{Given, ask};
use crate::fleet::Session;
use crate::progress::Progress;

/// From the order to begin until the API server knows a node, and from there until every node is Ready, with hardware
/// virtualisation: most of it takes the API server. Scaled where there is none.
const READY: Duration = Duration::from_secs(180);

/// How long the kubeconfig of a local cluster holds: as long as one may.
const LIFETIME: Duration = Duration::from_secs(168 * 3600);

/// Gives the order to a control plane, and waits until the API server knows it: from then on others can join.
pub(super) async fn begin(
    session: &Session,
    first: &str,
    patience: Patience,
    progress: &Progress,
) -> Result<()> {
    progress.step(format!("{first}: has Kubernetes begin"));
    bootstrap::order(session, first).await?;
    let missing = || async move {
        let seen = session.again(first, Seen::of).await?;
        Ok(seen.beginning().map(|what| format!("{first}: {what}")))
    };
    wait(first, patience, progress, missing).await
}

/// Waits until all of these nodes, of which the first is a control plane, are Ready.
pub(super) async fn ready(
    session: &Session,
    names: &[String],
    patience: Patience,
    progress: &Progress,
) -> Result<()> {
    let first = names.first().context("a cluster has a node")?;
    wait(first, patience, progress, || missing(session, first, names)).await
}

async fn wait<F>(
    first: &str,
    patience: Patience,
    progress: &Progress,
    missing: impl Fn() -> F,
) -> Result<()>
where
    F: Future<Output = Result<Option<String>>>,
{
    let limit = patience.scale(READY);
    let ready = seen::wait(limit, progress, missing).await;
    ready.map_err(|last| {
        let minutes = limit.as_secs() / 60;
        anyhow!("Kubernetes is not ready after {minutes} minutes: {last} (`osctl services`, `osctl logs kubelet` and `osctl logs etcd -n {first}` tell more)")
    })
}

/// What the cluster lacks, in one line.
async fn missing(session: &Session, first: &str, names: &[String]) -> Result<Option<String>> {
    let seen = session.again(first, Seen::of).await?;
    Ok(match seen.unready(names) {
        None => None,
        Some(Unready::Known(what)) => Some(what),
        // Nobody but the node knows what keeps it.
        Some(Unready::Unknown(name)) => {
            let own = session.again(&name, Seen::of).await?;
            Some(format!("{name}: {}", own.joining()))
        }
    })
}

/// A kubeconfig that leads to a port of this computer.
pub(super) async fn kubeconfig(session: &Session, first: &str, server: &str) -> Result<Given> {
    let call = |channel| ask(channel, LIFETIME, Some(server));
    session.again(first, call).await
}
