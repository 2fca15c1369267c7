//! `osctl bootstrap`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use api::v1alpha1::BootstrapRequest;
use api::v1alpha1::cluster_service_client::ClusterServiceClient;
use serde::Serialize;
use tonic::transport::Channel;

use super::recover::recover;
use super::seen;
use crate::exit::interruptible;
use crate::fleet::Session;
use crate::output::{self, Format};
use crate::progress::Progress;

/// How long it may take by itself: images are pulled, and every program starts for the first time.
const BEGIN: Duration = Duration::from_secs(20 * 60);

/// What to wait for.
#[derive(Debug, clap::Args)]
pub(crate) struct Bootstrap {
    /// Begin from a snapshot that `osctl etcd snapshot` made, when the cluster is lost
    ///
    /// The node must have no data of etcd; `osctl reset` takes it away, and from the other nodes of the control plane too, which then
    /// join.
    #[arg(long, value_name = "FILE")]
    recover_from: Option<PathBuf>,
    /// Give the order, and do not wait for what becomes of it
    #[arg(long)]
    no_wait: bool,
}

/// What became of it.
#[derive(Serialize)]
struct Begun {
    node: String,
    result: &'static str,
}

/// Has it begin, and waits.
pub(super) async fn run(session: &Session, command: &Bootstrap, format: Format) -> Result<()> {
    let node = session.one_changed()?;
    let before = match &command.recover_from {
        None => order(session, &node).await?,
        Some(file) => {
            recover(session, &node, file).await?;
            false
        }
    };
    let result = match (before, command.no_wait) {
        (true, true) => "the cluster had begun before",
        (false, true) => "the cluster begins",
        (_, false) => {
            let left = || "the order holds; `osctl health` shows what becomes of it".to_owned();
            interruptible(left, wait(session, &node)).await?;
            if before {
                "the cluster had begun before"
            } else {
                "the cluster has begun"
            }
        }
    };
    if format != Format::Table {
        return output::value(format, &Begun { node, result });
    }
    output::line(&format!("{node}: {result}"))
}

/// Gives the order; whether it was given before.
pub(crate) async fn order(session: &Session, node: &str) -> Result<bool> {
    let order = |channel: Channel| async move {
        let request = BootstrapRequest {};
        let answer = ClusterServiceClient::new(channel)
            .bootstrap(request)
            .await?;
        Ok(answer.into_inner().before)
    };
    session.again(node, order).await
}

/// Waits until the API server answers and knows the node.
async fn wait(session: &Session, node: &str) -> Result<()> {
    let missing = || seen::beginning(session, node);
    let known = seen::wait(BEGIN, seen::LOOK, &Progress::new(), missing).await;
    known.map_err(|last| too_late(node, &last))
}

/// What to say when it takes too long, and what was missing last.
fn too_late(node: &str, last: &str) -> anyhow::Error {
    let minutes = BEGIN.as_secs() / 60;
    let more = format!("`osctl services` and `osctl logs etcd -n {node}` tell more");
    anyhow!("the cluster has not begun after {minutes} minutes: {last} ({more}; the order holds)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_in_vain_is_told_whose_logs_to_read() {
        assert_eq!(
            too_late("cp-1", "cp-1: waits for etcd").to_string(),
            "the cluster has not begun after 20 minutes: cp-1: waits for etcd \
             (`osctl services` and `osctl logs etcd -n cp-1` tell more; the order holds)"
        );
    }
}
