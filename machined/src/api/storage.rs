//! `StorageService` on the wire, for a node that runs; the same two methods serve a node that waits for its config.

use std::sync::Arc;

use api::v1alpha1 as v1;
use api::v1alpha1::storage_service_server::StorageService;
use tonic::{Request, Response, Status};

use super::audit::about;
use super::machine::caller;
use super::node::Node;

/// The service over a node.
#[derive(Debug)]
pub(super) struct Storage<N> {
    node: Arc<N>,
}

impl<N> Storage<N> {
    pub(super) fn new(node: Arc<N>) -> Self {
        Self { node }
    }
}

/// Has a node emptied.
pub(super) async fn reset<N: Node>(
    node: &N,
    request: Request<v1::ResetRequest>,
) -> Result<Response<v1::ResetResponse>, Status> {
    let v1::ResetRequest { disk, dry_run, .. } = request.get_ref();
    about(&request, &target(disk, *dry_run));
    let caller = caller(&request)?;
    Ok(Response::new(
        node.reset(caller, request.into_inner()).await?,
    ))
}

/// Has a disk made blank.
pub(super) async fn wipe_disk<N: Node>(
    node: &N,
    request: Request<v1::WipeDiskRequest>,
) -> Result<Response<v1::WipeDiskResponse>, Status> {
    let v1::WipeDiskRequest { disk, dry_run } = request.get_ref();
    about(&request, &target(disk, *dry_run));
    Ok(Response::new(node.wipe_disk(request.into_inner()).await?))
}

fn target(disk: &str, dry_run: bool) -> String {
    let dry_run = if dry_run { " (dry run)" } else { "" };
    format!("disk {disk:?}{dry_run}")
}

#[tonic::async_trait]
impl<N: Node> StorageService for Storage<N> {
    async fn reset(
        &self,
        request: Request<v1::ResetRequest>,
    ) -> Result<Response<v1::ResetResponse>, Status> {
        reset(&*self.node, request).await
    }

    async fn wipe_disk(
        &self,
        request: Request<v1::WipeDiskRequest>,
    ) -> Result<Response<v1::WipeDiskResponse>, Status> {
        wipe_disk(&*self.node, request).await
    }
}
