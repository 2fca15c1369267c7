//! `InspectService`: what a person looks at on a node while something is wrong.
//!
//! Everything is read from `/proc` when it is asked for, on a blocking thread; nothing is kept, and nothing here changes the
//! node. What disappears while it is read is left out: a list of processes is old as soon as it is made.

mod files;
mod memory;
mod mounts;
mod processes;
mod sockets;
mod stats;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::inspect_service_server::{InspectService, InspectServiceServer};
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use procfs::ProcError;
use tonic::{Request, Response, Status};

use crate::api::about;

/// The kernel's numbers could not be had.
#[derive(Debug, thiserror::Error)]
#[error("read {what}: {source}")]
struct InspectError {
    what: &'static str,
    // Its own text says all it knows, and its sources are private.
    source: ProcError,
}

impl InspectError {
    fn of(what: &'static str) -> impl FnOnce(ProcError) -> Self {
        move |source| Self { what, source }
    }
}

/// The service over the machine that this process runs on.
#[derive(Clone, Copy, Debug)]
pub struct Inspect;

impl Inspect {
    /// As the API's port serves it.
    #[must_use]
    pub fn into_service(self) -> InspectServiceServer<Self> {
        InspectServiceServer::new(self)
    }
}

/// Reads on a thread that may block.
async fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, InspectError> + Send + 'static,
) -> Result<Response<T>, Status> {
    let joined = tokio::task::spawn_blocking(read).await;
    let read =
        joined.map_err(|error| Status::internal(format!("a thread to read with: {error}")))?;
    read.map(Response::new)
        .map_err(|error| Status::internal(cosi::report(&error)))
}

#[tonic::async_trait]
impl InspectService for Inspect {
    type ListFilesStream = BoxStream<'static, Result<v1::ListFilesResponse, Status>>;
    type ReadFileStream = BoxStream<'static, Result<v1::ReadFileResponse, Status>>;

    async fn processes(
        &self,
        _: Request<v1::ProcessesRequest>,
    ) -> Result<Response<v1::ProcessesResponse>, Status> {
        read(|| processes::read(Timestamp::now())).await
    }

    async fn memory(
        &self,
        _: Request<v1::MemoryRequest>,
    ) -> Result<Response<v1::MemoryResponse>, Status> {
        read(memory::read).await
    }

    async fn stats(
        &self,
        _: Request<v1::StatsRequest>,
    ) -> Result<Response<v1::StatsResponse>, Status> {
        read(|| Ok(stats::read(std::path::Path::new(stats::GROUPS)))).await
    }

    async fn mounts(
        &self,
        _: Request<v1::MountsRequest>,
    ) -> Result<Response<v1::MountsResponse>, Status> {
        read(mounts::read).await
    }

    async fn sockets(
        &self,
        _: Request<v1::SocketsRequest>,
    ) -> Result<Response<v1::SocketsResponse>, Status> {
        read(sockets::read).await
    }

    async fn time(
        &self,
        _: Request<v1::TimeRequest>,
    ) -> Result<Response<v1::TimeResponse>, Status> {
        let now = Timestamp::now();
        let time = Some(prost_types::Timestamp {
            seconds: now.as_second(),
            nanos: now.subsec_nanosecond(),
        });
        Ok(Response::new(v1::TimeResponse { time }))
    }

    async fn list_files(
        &self,
        request: Request<v1::ListFilesRequest>,
    ) -> Result<Response<Self::ListFilesStream>, Status> {
        about(&request, &request.get_ref().path);
        let v1::ListFilesRequest { path, depth } = request.into_inner();
        Ok(Response::new(files::list(path, depth).await?))
    }

    async fn read_file(
        &self,
        request: Request<v1::ReadFileRequest>,
    ) -> Result<Response<Self::ReadFileStream>, Status> {
        about(&request, &request.get_ref().path);
        Ok(Response::new(files::read(request.into_inner().path).await?))
    }
}
