//! Takes a snapshot from a caller, for a cluster that is to begin from it.

use ::api::v1alpha1::EtcdRecoverRequest;
use store::Store;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tonic::{Status, Streaming};

use super::bootstrap::{Bootstrap, BootstrapError};
use super::upload::Upload;

/// How many parts wait for the disk: enough to keep both sides busy.
const WAITING: usize = 4;

fn refused(error: &BootstrapError) -> Status {
    let text = cosi::report(error);
    match error {
        BootstrapError::Keep(_) => Status::internal(text),
        BootstrapError::Snapshot(_) | BootstrapError::Long => Status::invalid_argument(text),
        _ => Status::failed_precondition(text),
    }
}

/// Keeps what comes, until no more comes: on a thread that may wait for the disk. Of a caller that hung up not all has come, which
/// the sum tells.
fn keep(
    mut upload: Upload,
    mut parts: mpsc::Receiver<Result<Vec<u8>, Status>>,
) -> Result<Upload, Status> {
    while let Some(part) = parts.blocking_recv() {
        upload.take(&part?).map_err(|error| refused(&error))?;
    }
    Ok(upload)
}

/// Takes all of it and has the cluster begin; gives its length. When it is dropped before all has come, nothing begins.
///
/// # Errors
/// It cannot begin here, what came is no snapshot, or it cannot be kept.
pub(super) async fn recover(
    bootstrap: &Bootstrap,
    store: &Store,
    mut parts: Streaming<EtcdRecoverRequest>,
) -> Result<u64, Status> {
    let alone = bootstrap.alone(store).await;
    alone.map_err(|error| refused(&error))?;
    let upload = bootstrap.upload(store).await;
    let upload = upload.map_err(|error| refused(&error))?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let kept = spawn_blocking(move || keep(upload, receiver));
    loop {
        let part = match parts.message().await {
            Ok(Some(part)) => Ok(part.data),
            Ok(None) => break,
            Err(status) => Err(status),
        };
        // Nobody takes it any more when something is wrong with what came before: that is told below.
        if sender.send(part).await.is_err() {
            break;
        }
    }
    drop(sender);
    let kept = kept.await;
    let kept = kept.map_err(|error| Status::internal(format!("a thread to write with: {error}")));
    kept??.end().await.map_err(|error| refused(&error))
}
