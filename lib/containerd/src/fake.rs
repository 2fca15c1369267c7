//! A containerd for tests: a registry, what was pulled from it, and snapshots; all in memory, served on a unix socket.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::wire::content::content_server::{Content, ContentServer};
use crate::wire::content::{ReadContentRequest, ReadContentResponse};
use crate::wire::cri::image_service_server::{ImageService, ImageServiceServer};
use crate::wire::cri::{
    Image, ImageStatusRequest, ImageStatusResponse, PullImageRequest, PullImageResponse,
};
use crate::wire::images::images_server::{Images, ImagesServer};
use crate::wire::images::{
    Descriptor, Image as Named, ListImagesRequest, ListImagesResponse, UpdateImageRequest,
    UpdateImageResponse,
};
use crate::wire::snapshots::snapshots_server::{Snapshots, SnapshotsServer};
use crate::wire::snapshots::{
    Info, ListSnapshotsRequest, ListSnapshotsResponse, Mount, MountsRequest, MountsResponse,
    RemoveSnapshotRequest, ViewSnapshotRequest, ViewSnapshotResponse,
};

/// An image in the registry.
#[derive(Clone, Debug, Default)]
pub struct Pullable {
    /// The digest of its config.
    pub id: String,
    /// Its config.
    pub config: Vec<u8>,
    /// The digest of its manifest.
    pub digest: String,
    /// What its snapshot is called.
    pub chain: String,
    /// Its folders, the uppermost first.
    pub layers: Vec<PathBuf>,
}

/// What there is.
#[derive(Debug, Default)]
pub struct State {
    /// By reference.
    pub registry: BTreeMap<String, Pullable>,
    /// References.
    pub pulled: BTreeSet<String>,
    /// By reference: the labels of those that were pulled.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
    /// By key: what of, and labels.
    pub snapshots: BTreeMap<String, (String, BTreeMap<String, String>)>,
}

/// The fake. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Fake(Arc<Mutex<State>>);

type Stream<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

fn stream<T: Send + 'static>(items: Vec<T>) -> Response<Stream<T>> {
    Response::new(Box::pin(tokio_stream::iter(items.into_iter().map(Ok))))
}

impl Fake {
    /// What there is, to look at and to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves on `socket` until it is dropped.
    ///
    /// # Errors
    /// There can be no such socket.
    pub async fn serve(self, socket: &Path) -> io::Result<()> {
        let listener = UnixListenerStream::new(UnixListener::bind(socket)?);
        let served = Server::builder()
            .add_service(ImageServiceServer::new(self.clone()))
            .add_service(ContentServer::new(self.clone()))
            .add_service(ImagesServer::new(self.clone()))
            .add_service(SnapshotsServer::new(self))
            .serve_with_incoming(listener);
        served.await.map_err(io::Error::other)
    }

    fn mounts(&self, chain: &str) -> Result<Vec<Mount>, Status> {
        let state = self.state();
        let mut images = state.registry.values();
        let image = images.find(|it| it.chain == chain);
        let image = image.ok_or_else(|| Status::not_found(format!("parent snapshot {chain}")))?;
        let texts: Vec<_> = image.layers.iter().map(|it| it.to_string_lossy()).collect();
        Ok(match texts.as_slice() {
            [one] => vec![Mount {
                r#type: "bind".to_owned(),
                source: one.to_string(),
                options: vec!["ro".to_owned(), "rbind".to_owned()],
            }],
            more => vec![Mount {
                r#type: "overlay".to_owned(),
                source: "overlay".to_owned(),
                options: vec![
                    "index=off".to_owned(),
                    format!("lowerdir={}", more.join(":")),
                ],
            }],
        })
    }
}

/// As containerd has it: who does not say in which namespace finds nothing.
fn in_namespace<T>(request: &Request<T>) -> Result<(), Status> {
    match request.metadata().get("containerd-namespace") {
        Some(name) if name == "k8s.io" => Ok(()),
        _ => Err(Status::failed_precondition("namespace is required")),
    }
}

#[tonic::async_trait]
impl ImageService for Fake {
    async fn image_status(
        &self,
        request: Request<ImageStatusRequest>,
    ) -> Result<Response<ImageStatusResponse>, Status> {
        let reference = request.into_inner().image.unwrap_or_default().image;
        let state = self.state();
        let pulled = state.registry.get(&reference);
        let image = pulled.filter(|_| state.pulled.contains(&reference));
        let image = image.map(|it| Image {
            id: it.id.clone(),
            repo_digests: vec![format!("{reference}@{}", it.digest)],
        });
        Ok(Response::new(ImageStatusResponse { image }))
    }

    async fn pull_image(
        &self,
        request: Request<PullImageRequest>,
    ) -> Result<Response<PullImageResponse>, Status> {
        let reference = request.into_inner().image.unwrap_or_default().image;
        let mut state = self.state();
        let Some(image) = state.registry.get(&reference) else {
            let host = reference.split('/').next().unwrap_or_default();
            return Err(Status::unknown(format!("{host} does not have it")));
        };
        let image_ref = image.id.clone();
        state.pulled.insert(reference);
        Ok(Response::new(PullImageResponse { image_ref }))
    }
}

#[tonic::async_trait]
impl Content for Fake {
    type ReadStream = Stream<ReadContentResponse>;

    async fn read(
        &self,
        request: Request<ReadContentRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        in_namespace(&request)?;
        let digest = request.into_inner().digest;
        let state = self.state();
        let image = state.registry.values().find(|it| it.id == digest);
        let image = image.ok_or_else(|| Status::not_found(digest))?;
        // In two parts, as large content comes in many.
        let (first, second) = image.config.split_at(image.config.len() / 2);
        let part = |data: &[u8]| ReadContentResponse {
            data: data.to_vec(),
            ..ReadContentResponse::default()
        };
        Ok(stream(vec![part(first), part(second)]))
    }
}

#[tonic::async_trait]
impl Images for Fake {
    async fn list(
        &self,
        request: Request<ListImagesRequest>,
    ) -> Result<Response<ListImagesResponse>, Status> {
        in_namespace(&request)?;
        let state = self.state();
        let images = state.pulled.iter().map(|name| Named {
            name: name.clone(),
            labels: state.labels.get(name).cloned().unwrap_or_default(),
            target: state.registry.get(name).map(|it| Descriptor {
                digest: it.digest.clone(),
                ..Descriptor::default()
            }),
        });
        Ok(Response::new(ListImagesResponse {
            images: images.collect(),
        }))
    }

    async fn update(
        &self,
        request: Request<UpdateImageRequest>,
    ) -> Result<Response<UpdateImageResponse>, Status> {
        in_namespace(&request)?;
        let UpdateImageRequest { image, update_mask } = request.into_inner();
        let image = image.unwrap_or_default();
        // containerd itself looks at it without asking whether it is there, and ends.
        if image.target.is_none() {
            return Err(Status::internal("it has no target"));
        }
        let mut state = self.state();
        if !state.pulled.contains(&image.name) {
            return Err(Status::not_found(image.name));
        }
        let labels = state.labels.entry(image.name.clone()).or_default();
        for path in update_mask.unwrap_or_default().paths {
            let name = path.strip_prefix("labels.");
            let name = name.ok_or_else(|| Status::invalid_argument(path.as_str()))?;
            match image.labels.get(name).filter(|it| !it.is_empty()) {
                Some(value) => labels.insert(name.to_owned(), value.clone()),
                None => labels.remove(name),
            };
        }
        Ok(Response::new(UpdateImageResponse { image: Some(image) }))
    }
}

#[tonic::async_trait]
impl Snapshots for Fake {
    type ListStream = Stream<ListSnapshotsResponse>;

    async fn view(
        &self,
        request: Request<ViewSnapshotRequest>,
    ) -> Result<Response<ViewSnapshotResponse>, Status> {
        in_namespace(&request)?;
        let wanted = request.into_inner();
        let mounts = self.mounts(&wanted.parent)?;
        let mut state = self.state();
        if state.snapshots.contains_key(&wanted.key) {
            return Err(Status::already_exists(wanted.key));
        }
        state
            .snapshots
            .insert(wanted.key, (wanted.parent, wanted.labels));
        Ok(Response::new(ViewSnapshotResponse { mounts }))
    }

    async fn mounts(
        &self,
        request: Request<MountsRequest>,
    ) -> Result<Response<MountsResponse>, Status> {
        in_namespace(&request)?;
        let key = request.into_inner().key;
        let parent = self.state().snapshots.get(&key).map(|it| it.0.clone());
        let parent = parent.ok_or_else(|| Status::not_found(key))?;
        let mounts = Self::mounts(self, &parent)?;
        Ok(Response::new(MountsResponse { mounts }))
    }

    async fn remove(
        &self,
        request: Request<RemoveSnapshotRequest>,
    ) -> Result<Response<()>, Status> {
        in_namespace(&request)?;
        let key = request.into_inner().key;
        let removed = self.state().snapshots.remove(&key);
        removed.ok_or_else(|| Status::not_found(key))?;
        Ok(Response::new(()))
    }

    async fn list(
        &self,
        request: Request<ListSnapshotsRequest>,
    ) -> Result<Response<Self::ListStream>, Status> {
        in_namespace(&request)?;
        let filters = request.into_inner().filters;
        let state = self.state();
        // The one form of a filter that is asked for.
        let fits = |labels: &BTreeMap<String, String>| {
            let mut names = labels.keys();
            names.any(|name| filters.contains(&format!("labels.\"{name}\"")))
        };
        let info = state.snapshots.iter().filter(|(_, it)| fits(&it.1));
        let info = info.map(|(name, _)| Info { name: name.clone() }).collect();
        Ok(stream(vec![ListSnapshotsResponse { info }]))
    }
}
