//! A node that has nothing to fetch and runs nothing of Kubernetes.

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::upgrade_service_client::UpgradeServiceClient;
use ::api::v1alpha1::upgrade_service_server::{UpgradeService, UpgradeServiceServer};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Answers everything.
#[derive(Debug)]
pub(crate) struct FakeUpgrade;

impl FakeUpgrade {
    pub(crate) fn into_service(self) -> UpgradeServiceServer<Self> {
        UpgradeServiceServer::new(self)
    }
}

#[tonic::async_trait]
impl UpgradeService for FakeUpgrade {
    type PullImagesStream = BoxStream<'static, Result<v1::PullImagesResponse, Status>>;

    async fn pull_images(
        &self,
        _: Request<v1::PullImagesRequest>,
    ) -> Result<Response<Self::PullImagesStream>, Status> {
        Ok(Response::new(stream::empty().boxed()))
    }

    async fn workloads(
        &self,
        _: Request<v1::WorkloadsRequest>,
    ) -> Result<Response<v1::WorkloadsResponse>, Status> {
        Ok(Response::new(v1::WorkloadsResponse::default()))
    }

    async fn update_workloads(
        &self,
        _: Request<v1::UpdateWorkloadsRequest>,
    ) -> Result<Response<v1::WorkloadsResponse>, Status> {
        Ok(Response::new(v1::WorkloadsResponse::default()))
    }
}

/// Calls a method by its name, with the least that it takes.
pub(crate) async fn call(channel: Channel, method: &str) -> Option<Result<(), Status>> {
    let mut client = UpgradeServiceClient::new(channel);
    Some(match method {
        "PullImages" => {
            let request = v1::PullImagesRequest::default();
            client.pull_images(request).await.map(drop)
        }
        "Workloads" => {
            let request = v1::WorkloadsRequest::default();
            client.workloads(request).await.map(drop)
        }
        "UpdateWorkloads" => {
            let request = v1::UpdateWorkloadsRequest::default();
            client.update_workloads(request).await.map(drop)
        }
        _ => return None,
    })
}
