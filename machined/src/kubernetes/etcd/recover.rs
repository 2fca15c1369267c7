//! Takes a snapshot from a caller, for a cluster that is to begin from it.

use ::api::v1alpha1::EtcdRecoverRequest;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use store::Store;
use tokio::task::{JoinError, spawn_blocking};
use tonic::{Status, Streaming};

use super::bootstrap::{Bootstrap, BootstrapError};
use super::upload::Upload;

fn refused(error: &BootstrapError) -> Status {
    let text = cosi::report(error);
    match error {
        BootstrapError::Keep(_) => Status::internal(text),
        BootstrapError::Snapshot(_) | BootstrapError::Database(_) | BootstrapError::Long => {
            Status::invalid_argument(text)
        }
        _ => Status::failed_precondition(text),
    }
}

fn no_thread(error: &JoinError) -> Status {
    Status::internal(format!("a thread to write with: {error}"))
}

/// Keeps what comes, until no more comes: each part on a thread that may wait for the disk, while none waits for the next. Of a
/// caller that hung up not all has come, which the sum tells.
async fn keep(
    mut upload: Upload,
    mut parts: impl Stream<Item = Result<Vec<u8>, Status>> + Unpin,
) -> Result<u64, Status> {
    let mut part = parts.next().await;
    while let Some(came) = part {
        let came = came?;
        let taken = spawn_blocking(move || upload.take(&came).map(|()| upload));
        let (taken, next) = tokio::join!(taken, parts.next());
        let taken = taken.map_err(|error| no_thread(&error))?;
        upload = taken.map_err(|error| refused(&error))?;
        part = next;
    }
    upload.end().await.map_err(|error| refused(&error))
}

/// Takes all of it and has the cluster begin; gives its length. When it is dropped before all has come, nothing begins.
///
/// # Errors
/// It cannot begin here, what came is no snapshot, or it cannot be kept.
pub(super) async fn recover(
    bootstrap: &Bootstrap,
    store: &Store,
    parts: Streaming<EtcdRecoverRequest>,
) -> Result<u64, Status> {
    let alone = bootstrap.alone(store).await;
    alone.map_err(|error| refused(&error))?;
    let upload = bootstrap.upload(store).await;
    let upload = upload.map_err(|error| refused(&error))?;
    keep(upload, parts.map_ok(|part| part.data)).await
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::kubernetes::etcd::bootstrap::tests::{node, snapshot};
    use crate::kubernetes::etcd::data::{self, Data};

    #[test]
    fn whoever_waits_for_a_caller_holds_no_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (_parent, store, bootstrap) = node();
            let upload = bootstrap.upload(&store).await.unwrap();
            let whole = snapshot();
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            let parts = Box::pin(stream::unfold(receiver, |mut receiver| async {
                Some((receiver.recv().await?, receiver))
            }));
            let caller = async {
                for part in whole.chunks(100) {
                    sender.send(Ok(part.to_vec())).await.unwrap();
                    // The one thread is somebody else's before more comes.
                    spawn_blocking(|| ()).await.unwrap();
                }
                drop(sender);
            };
            let (kept, ()) = tokio::join!(keep(upload, parts), caller);
            assert_eq!(kept.unwrap(), 1568);
            let data = data::look(bootstrap.folder()).unwrap();
            assert!(matches!(data, Data::Recovers(_)), "{data:?}");
        });
    }
}
