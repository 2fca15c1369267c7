//! What an upgrade asks of the node: it has every image, and the objects that a test gave it.

use api::v1alpha1 as v1;
use api::v1alpha1::upgrade_service_server::UpgradeService;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::Node;

#[tonic::async_trait]
impl UpgradeService for Node {
    type PullImagesStream = BoxStream<'static, Result<v1::PullImagesResponse, Status>>;

    async fn pull_images(
        &self,
        request: Request<v1::PullImagesRequest>,
    ) -> Result<Response<Self::PullImagesStream>, Status> {
        self.happens(&format!("pulls {}", request.get_ref().version));
        let parts = [0, 1].map(|present| {
            Ok(v1::PullImagesResponse {
                image: "kubelet".to_owned(),
                present,
                total: 1,
            })
        });
        Ok(Response::new(stream::iter(parts).boxed()))
    }

    async fn workloads(
        &self,
        _: Request<v1::WorkloadsRequest>,
    ) -> Result<Response<v1::WorkloadsResponse>, Status> {
        let workloads = self.kept().workloads.clone();
        Ok(Response::new(v1::WorkloadsResponse { workloads }))
    }

    async fn update_workloads(
        &self,
        _: Request<v1::UpdateWorkloadsRequest>,
    ) -> Result<Response<v1::WorkloadsResponse>, Status> {
        self.happens("updates");
        let mut workloads = self.kept().workloads.clone();
        for it in workloads.iter_mut().filter(|it| it.left.is_empty()) {
            it.image.clone_from(&it.wanted);
        }
        self.kept().workloads.clone_from(&workloads);
        Ok(Response::new(v1::WorkloadsResponse { workloads }))
    }
}
