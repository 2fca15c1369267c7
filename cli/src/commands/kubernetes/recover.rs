//! `osctl bootstrap --recover-from`: a snapshot on its way to the node that a cluster begins on.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use api::v1alpha1::EtcdRecoverRequest;
use api::v1alpha1::etcd_service_client::EtcdServiceClient;
use futures_util::stream::{Stream, unfold};

use crate::commands::etcd::snapshot;
use crate::connect;
use crate::exit::interruptible;
use crate::fleet::Session;
use crate::output::size;
use crate::progress::Progress;

/// Sends a snapshot, which is looked at before.
pub(super) async fn recover(session: &Session, node: &str, file: &Path) -> Result<()> {
    let length = snapshot::checked(file)?;
    let progress = Progress::new();
    let opened = File::open(file).with_context(|| format!("reading {}", file.display()))?;
    let sent = Arc::new(AtomicU64::new(0));
    let parts = Parts {
        file: opened,
        sent: Arc::clone(&sent),
        told: Arc::new(move |sent| {
            progress.tell(format!("sends {} of {}", size(sent), size(length)));
        }),
    };
    let target = connect::target(&session.context, node)?;
    let channel = connect::connect(&session.context, &target, session.patience).await?;
    let mut client = EtcdServiceClient::new(channel);
    let left = || left(node, sent.load(Ordering::Relaxed), length);
    let taken = async {
        let taken = client.recover(parts.into_stream()).await;
        Ok(taken.with_context(|| node.to_owned())?.into_inner().size)
    };
    let taken = interruptible(left, taken).await?;
    ensure!(
        taken == length,
        "{node}: took {taken} bytes of {length}; the file has changed meanwhile"
    );
    Ok(())
}

/// What somebody who interrupts it is to know: without its end, a snapshot is thrown away by the node.
fn left(node: &str, sent: u64, length: u64) -> String {
    if sent < length {
        return format!("{node} has nothing of the snapshot");
    }
    format!(
        "{node} has the whole snapshot and may begin from it; `osctl services -n {node}` shows whether it does"
    )
}

/// A file on its way, in parts that the API takes.
struct Parts {
    file: File,
    sent: Arc<AtomicU64>,
    told: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Parts {
    /// One part after the other, as they are asked for. A file that breaks off is one that ends: the sum tells.
    fn into_stream(self) -> impl Stream<Item = EtcdRecoverRequest> + Send + 'static {
        unfold(self, |mut parts| async {
            let mut data = vec![0; api::MAX_CHUNK];
            let count = parts.file.read(&mut data).unwrap_or_default();
            data.truncate(count);
            let more = u64::try_from(count).unwrap_or_default();
            let before = parts.sent.fetch_add(more, Ordering::Relaxed);
            (parts.told)(before + more);
            (count > 0).then_some((EtcdRecoverRequest { data }, parts))
        })
    }
}
