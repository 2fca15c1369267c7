//! The images of another version, on every node before anything is started from them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use api::v1alpha1::PullImagesRequest;
use api::v1alpha1::upgrade_service_client::UpgradeServiceClient;
use config::KubernetesVersion;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::connect;
use crate::explain::sentence;
use crate::fleet::Session;
use crate::output::counted;
use crate::progress::Progress;

/// How far each node is: how many images are there, and how many are to be.
type Far = RefCell<BTreeMap<String, (u32, u32)>>;

/// Has all these nodes fetch theirs, at once: each has a disk and a line of its own.
pub(super) async fn pull(
    session: &Session,
    nodes: &[&str],
    to: KubernetesVersion,
    limit: Duration,
    progress: &Progress,
) -> Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    progress.step(format!(
        "fetches the images of {to} on {}",
        counted(nodes.len(), "node")
    ));
    let far = Far::default();
    let pulls = nodes.iter().map(|node| async {
        let pulled = timeout(limit, one(session, node, to, &far, progress)).await;
        let slow = || {
            bail!(
                "its images are not there after {} s; --wait gives them longer",
                limit.as_secs()
            )
        };
        (*node, pulled.unwrap_or_else(|_| slow()))
    });
    let mut failed = Vec::new();
    for (node, pulled) in join_all(pulls).await {
        if let Err(error) = pulled {
            failed.push(format!("{node}: {}", sentence(&error)));
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("nothing was changed: {}", failed.join("; "))
}

async fn one(
    session: &Session,
    node: &str,
    to: KubernetesVersion,
    far: &Far,
    progress: &Progress,
) -> Result<()> {
    let target = connect::target(&session.context, node)?;
    let channel = connect::connect(&session.context, &target, session.patience).await?;
    let request = PullImagesRequest {
        version: to.to_string(),
    };
    let mut told = UpgradeServiceClient::new(channel)
        .pull_images(request)
        .await?
        .into_inner();
    let mut last = 0;
    while let Some(it) = told.message().await? {
        last = it.present;
        far.borrow_mut()
            .insert(node.to_owned(), (it.present, it.total));
        progress.tell(line(&far.borrow()));
    }
    progress.done(&format!(
        "{node}: {} there",
        counted(usize::try_from(last).unwrap_or(usize::MAX), "image")
    ));
    Ok(())
}

/// How far all are, in one line.
fn line(far: &BTreeMap<String, (u32, u32)>) -> String {
    let each = far.iter();
    let each: Vec<_> = each
        .map(|(node, (present, total))| format!("{node} {present} of {total}"))
        .collect();
    format!("images: {}", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_nodes_are_in_one_line() {
        let far = [("cp-1", (2, 6)), ("worker-1", (0, 3))];
        let far = far.map(|(node, far)| (node.to_owned(), far)).into();
        assert_eq!(line(&far), "images: cp-1 2 of 6, worker-1 0 of 3");
    }
}
