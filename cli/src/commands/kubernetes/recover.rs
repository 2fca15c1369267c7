//! `osctl bootstrap --recover-from`: a snapshot on its way to the node that a cluster begins on.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use api::v1alpha1::EtcdRecoverRequest;
use api::v1alpha1::etcd_service_client::EtcdServiceClient;
use futures_util::stream::{Stream, unfold};

use crate::commands::etcd::snapshot;
use crate::connect;
use crate::exit::Interrupted;
use crate::fleet::Session;
use crate::output::size;
use crate::progress::Progress;

/// Sends a snapshot, which is looked at before.
pub(super) async fn recover(session: &Session, node: &str, file: &Path) -> Result<()> {
    let length = snapshot::checked(file)?;
    let progress = Progress::new();
    let opened = File::open(file).with_context(|| format!("reading {}", file.display()))?;
    let parts = Parts {
        file: opened,
        sent: 0,
        told: Arc::new(move |sent| {
            progress.tell(format!("sends {} of {}", size(sent), size(length)));
        }),
    };
    let target = connect::target(&session.context, node)?;
    let channel = connect::connect(&session.context, &target, session.patience).await?;
    let mut client = EtcdServiceClient::new(channel);
    let sent = client.recover(parts.into_stream());
    let taken = tokio::select! {
        taken = sent => taken,
        pressed = tokio::signal::ctrl_c() => {
            pressed?;
            return Err(Interrupted("the node has nothing of the snapshot".to_owned()).into());
        }
    };
    let taken = taken.with_context(|| node.to_owned())?.into_inner().size;
    ensure!(
        taken == length,
        "{node}: took {taken} bytes of {length}; the file has changed meanwhile"
    );
    Ok(())
}

/// A file on its way, in parts that the API takes.
struct Parts {
    file: File,
    sent: u64,
    told: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Parts {
    /// One part after the other, as they are asked for. A file that breaks off is one that ends: the sum tells.
    fn into_stream(self) -> impl Stream<Item = EtcdRecoverRequest> + Send + 'static {
        unfold(self, |mut parts| async {
            let mut data = vec![0; api::MAX_CHUNK];
            let count = parts.file.read(&mut data).unwrap_or_default();
            data.truncate(count);
            parts.sent += u64::try_from(count).unwrap_or_default();
            (parts.told)(parts.sent);
            (count > 0).then_some((EtcdRecoverRequest { data }, parts))
        })
    }
}
