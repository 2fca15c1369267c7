//! `ClusterService` on the wire.

use std::sync::Arc;

use api::v1alpha1 as v1;
use api::v1alpha1::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::audit::about;
use super::machine::caller;
use super::node::Node;

/// The service over a node.
#[derive(Debug)]
pub(super) struct Cluster<N> {
    node: Arc<N>,
}

impl<N> Cluster<N> {
    pub(super) fn new(node: Arc<N>) -> Self {
        Self { node }
    }
}

#[tonic::async_trait]
impl<N: Node> ClusterService for Cluster<N> {
    async fn bootstrap(
        &self,
        request: Request<v1::BootstrapRequest>,
    ) -> Result<Response<v1::BootstrapResponse>, Status> {
        about(&request, "etcd");
        Ok(Response::new(self.node.bootstrap().await?))
    }

    async fn kubeconfig(
        &self,
        request: Request<v1::KubeconfigRequest>,
    ) -> Result<Response<v1::KubeconfigResponse>, Status> {
        about(&request, "kubernetes administrator");
        let caller = caller(&request)?;
        let given = self.node.kubeconfig(caller, request.into_inner());
        Ok(Response::new(given.await?))
    }
}
