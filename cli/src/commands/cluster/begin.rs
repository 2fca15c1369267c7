//! Having the Kubernetes cluster of local machines begin, until all of them are Ready.

use std::time::Duration;

use anyhow::{Result, anyhow};

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

/// Waiting for a cluster whose first node is a control plane.
pub(super) struct Wait<'a> {
    /// Who asks.
    pub(super) session: &'a Session,
    /// Who is asked of the cluster.
    pub(super) first: &'a str,
    /// How long things take.
    pub(super) patience: Patience,
    /// Where it says what it waits for.
    pub(super) progress: &'a Progress,
}

impl Wait<'_> {
    /// Gives the order to the first node, and waits until the API server knows it: from then on others can join.
    pub(super) async fn begin(&self) -> Result<()> {
        let (session, first) = (self.session, self.first);
        self.progress.step(format!("{first}: has Kubernetes begin"));
        bootstrap::order(session, first).await?;
        self.until(|| seen::beginning(session, first)).await
    }

    /// Waits until all of these nodes are Ready, and these control planes have an API server that takes requests.
    pub(super) async fn ready(&self, names: &[String], planes: &[String]) -> Result<()> {
        self.until(|| self.missing(names, planes)).await
    }

    async fn until<F>(&self, missing: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<Option<String>>>,
    {
        let [limit, longest] = [READY, seen::LOOK].map(|it| self.patience.scale(it));
        let ready = seen::wait(limit, longest, self.progress, missing).await;
        ready.map_err(|last| too_late(limit, &last, self.first))
    }

    /// What the cluster lacks, in one line.
    async fn missing(&self, names: &[String], planes: &[String]) -> Result<Option<String>> {
        let seen = self.session.again(self.first, Seen::of).await?;
        Ok(match seen.unready(names) {
            None => seen.silent(planes),
            Some(Unready::Known(what)) => Some(what),
            // Nobody but the node knows what keeps it.
            Some(Unready::Unknown(name)) => {
                let own = self.session.again(&name, Seen::of).await?;
                Some(format!("{name}: {}", own.joining()))
            }
        })
    }
}

/// What to say when it takes too long, and what was missing last.
fn too_late(limit: Duration, last: &str, first: &str) -> anyhow::Error {
    let minutes = limit.as_secs() / 60;
    let more = format!("`osctl logs kubelet -n NODE` and `osctl logs etcd -n {first}`");
    anyhow!(
        "Kubernetes is not ready after {minutes} minutes: {last} (`osctl services`, {more} tell more)"
    )
}

/// A kubeconfig that leads to a port of this computer.
pub(super) async fn kubeconfig(session: &Session, first: &str, server: &str) -> Result<Given> {
    let call = |channel| ask(channel, LIFETIME, Some(server));
    session.again(first, call).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_in_vain_is_told_whose_logs_to_read() {
        let limit = Duration::from_secs(600);
        assert_eq!(
            too_late(limit, "a is not Ready", "cp-1").to_string(),
            "Kubernetes is not ready after 10 minutes: a is not Ready \
             (`osctl services`, `osctl logs kubelet -n NODE` and `osctl logs etcd -n cp-1` tell more)"
        );
    }
}
