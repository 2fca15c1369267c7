//! The calls.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::UnixStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tower::service_fn;

use crate::wire::content::ReadContentRequest;
use crate::wire::content::content_client::ContentClient;
use crate::wire::cri::image_service_client::ImageServiceClient;
use crate::wire::cri::{ImageSpec, ImageStatusRequest, PullImageRequest};
use crate::wire::images::images_client::ImagesClient;
use crate::wire::images::{
    Descriptor, FieldMask, Image as Named, ListImagesRequest, UpdateImageRequest,
};
use crate::wire::snapshots::snapshots_client::SnapshotsClient;
use crate::wire::snapshots::{
    ListSnapshotsRequest, Mount, MountsRequest, RemoveSnapshotRequest, ViewSnapshotRequest,
};

/// The namespace in which CRI keeps what it pulls: the other services ask for one.
const NAMESPACE: &str = "k8s.io";

/// How layers are put together; CRI is configured for the same one.
const SNAPSHOTTER: &str = "overlayfs";

/// For an answer that is a look into a database or a few folders, on a disk that is busy with something else. A pull has no
/// limit here: containerd gives up when a registry sends nothing any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most bytes of content that are read. The config of an image has a few KiB; registries refuse manifests over 4 MiB.
const MOST_CONTENT: usize = 4 * 1024 * 1024;

/// The label that keeps a snapshot, and with it those below it, from being collected (containerd, "Garbage Collection").
const ROOT_LABEL: &str = "containerd.io/gc.root";

/// What went wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// containerd did not do it.
    #[error("{action}: {why}")]
    Refused {
        /// What it was asked.
        action: String,
        /// Its answer, or why there was none.
        why: String,
    },
    /// There is more of it than anybody needs.
    #[error("content {0} has more than {MOST_CONTENT} bytes, and cannot be the config of an image")]
    Long(String),
    /// It keeps layers in a way that cannot be mounted here.
    #[error("snapshot {key} is mounted as {kind:?} with {options:?}, which is not understood")]
    Mount {
        /// Which.
        key: String,
        /// The kind of file system.
        kind: String,
        /// How it is mounted.
        options: Vec<String>,
    },
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The digest of its config.
    pub config: String,
    /// The digest by which its registry knows it; that of the config where none is known.
    pub digest: String,
}

/// A name by which containerd knows an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The name: what it is pulled by, or a digest.
    pub name: String,
    /// What somebody noted of it.
    pub labels: BTreeMap<String, String>,
    /// What it leads to, as it was told.
    target: Descriptor,
}

/// The folders that a root is made of, the uppermost first. There is one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers(Vec<PathBuf>);

impl Layers {
    /// The uppermost first.
    #[must_use]
    pub fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    /// Those of a snapshot that is only looked at: one folder, or several that the kernel's overlayfs puts together. Other
    /// options than the folders are for those that are written to.
    fn of(key: &str, mounts: &[Mount]) -> Result<Self, Error> {
        let wrong = |mount: Option<&Mount>| Error::Mount {
            key: key.to_owned(),
            kind: mount.map(|it| it.r#type.clone()).unwrap_or_default(),
            options: mount.map(|it| it.options.clone()).unwrap_or_default(),
        };
        let [mount] = mounts else {
            return Err(wrong(mounts.first()));
        };
        let folders: Vec<_> = match mount.r#type.as_str() {
            "bind" => vec![PathBuf::from(&mount.source)],
            "overlay" => {
                let mut options = mount.options.iter();
                let lower = options.find_map(|it| it.strip_prefix("lowerdir="));
                let lower = lower.ok_or_else(|| wrong(Some(mount)))?;
                lower.split(':').map(PathBuf::from).collect()
            }
            _ => return Err(wrong(Some(mount))),
        };
        // What the kernel would take for something else than a path.
        let plain = |path: &PathBuf| {
            let text = path.to_str();
            path.is_absolute() && text.is_some_and(|it| !it.contains([',', '\\', ':']))
        };
        match folders.iter().all(plain) {
            true => Ok(Self(folders)),
            false => Err(wrong(Some(mount))),
        }
    }
}

/// A client. It connects with its first call, and again when containerd was started again.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
}

fn refused(action: impl FnOnce() -> String) -> impl FnOnce(Status) -> Error {
    move |status| {
        let mut why = status.message().to_owned();
        let mut source = status.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !why.contains(&text) {
                why = format!("{why}: {text}");
            }
            source = error.source();
        }
        let action = action();
        Error::Refused { action, why }
    }
}

/// A request that is answered soon.
fn soon<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request.metadata_mut().insert(
        "containerd-namespace",
        MetadataValue::<Ascii>::from_static(NAMESPACE),
    );
    request
}

impl Client {
    /// A client of the one that listens on `socket`. Has to be called within a tokio runtime.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        let socket = socket.to_owned();
        let dial = move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        };
        // The name goes into a header that containerd does not look at.
        let endpoint = Endpoint::from_static("http://localhost");
        Self {
            channel: endpoint.connect_with_connector_lazy(service_fn(dial)),
        }
    }

    /// The image that a reference means here; `None` when it was not pulled. Cancel-safe: it changes nothing.
    ///
    /// # Errors
    /// containerd does not answer.
    pub async fn image(&self, reference: &str) -> Result<Option<Image>, Error> {
        let message = ImageStatusRequest {
            image: Some(spec(reference)),
        };
        let mut client = ImageServiceClient::new(self.channel.clone());
        let answer = client.image_status(soon(message)).await;
        let answer = answer.map_err(refused(|| format!("looking for the image {reference}")))?;
        let image = answer.into_inner().image;
        Ok(image.map(|image| {
            let mut digests = image.repo_digests.iter();
            let digest = digests.find_map(|it| it.split_once('@'));
            let digest = digest.map_or(image.id.as_str(), |(_, digest)| digest);
            Image {
                digest: digest.to_owned(),
                config: image.id,
            }
        }))
    }

    /// Pulls and unpacks an image. When it is cancelled the pull ends, and what was fetched of it is there the next time.
    ///
    /// # Errors
    /// containerd could not; its answer names registry and reason.
    pub async fn pull(&self, reference: &str) -> Result<(), Error> {
        let message = PullImageRequest {
            image: Some(spec(reference)),
        };
        let mut client = ImageServiceClient::new(self.channel.clone());
        let pulled = client.pull_image(Request::new(message)).await;
        let why = refused(|| format!("pulling the image {reference}"));
        pulled.map(drop).map_err(why)
    }

    /// All names of images. Cancel-safe: it changes nothing.
    ///
    /// # Errors
    /// containerd does not answer.
    pub async fn references(&self) -> Result<Vec<Reference>, Error> {
        let mut client = ImagesClient::new(self.channel.clone());
        let answer = client.list(soon(ListImagesRequest {})).await;
        let answer = answer.map_err(refused(|| "listing the images".to_owned()))?;
        let images = answer.into_inner().images.into_iter();
        let references = images.map(|it| Reference {
            name: it.name,
            labels: it.labels,
            target: it.target.unwrap_or_default(),
        });
        Ok(references.collect())
    }

    /// Sets labels of a name; one without a value is taken away, and others stay as they are. A name that is gone has none.
    ///
    /// # Errors
    /// containerd does not do it.
    pub async fn label(
        &self,
        reference: &Reference,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let paths = labels.keys().map(|name| format!("labels.{name}")).collect();
        let message = UpdateImageRequest {
            image: Some(Named {
                name: reference.name.clone(),
                labels: labels.clone(),
                // It is not asked for, and containerd ends where it is missing.
                target: Some(reference.target.clone()),
            }),
            update_mask: Some(FieldMask { paths }),
        };
        let mut client = ImagesClient::new(self.channel.clone());
        match client.update(soon(message)).await {
            Err(status) if status.code() != Code::NotFound => {
                let name = &reference.name;
                Err(refused(|| format!("labelling the image {name}"))(status))
            }
            _ => Ok(()),
        }
    }

    /// The bytes that have a digest. Nobody has looked whether they do. Cancel-safe: it changes nothing.
    ///
    /// # Errors
    /// They are not there, or too many.
    pub async fn content(&self, digest: &str) -> Result<Vec<u8>, Error> {
        let action = || format!("reading the content {digest}");
        let message = ReadContentRequest {
            digest: digest.to_owned(),
        };
        let mut client = ContentClient::new(self.channel.clone());
        let answer = client.read(soon(message)).await;
        let mut parts = answer.map_err(refused(action))?.into_inner();
        let mut bytes = Vec::new();
        while let Some(part) = parts.message().await.map_err(refused(action))? {
            if bytes.len() + part.data.len() > MOST_CONTENT {
                return Err(Error::Long(digest.to_owned()));
            }
            bytes.extend_from_slice(&part.data);
        }
        Ok(bytes)
    }

    /// The folders of a view of what `parent` names, which is kept under `key`, with `labels`, until it is removed. One of
    /// this key that is there already is taken for the same. When it is cancelled it may be there all the same.
    ///
    /// # Errors
    /// There is no such parent, or the snapshot is none of folders.
    pub async fn view(
        &self,
        key: &str,
        parent: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Layers, Error> {
        let mut labels = labels.clone();
        // Its value is for people; containerd asks only whether there is one.
        labels.insert(ROOT_LABEL.to_owned(), "garboard".to_owned());
        let message = ViewSnapshotRequest {
            snapshotter: SNAPSHOTTER.to_owned(),
            key: key.to_owned(),
            parent: parent.to_owned(),
            labels,
        };
        let mut client = SnapshotsClient::new(self.channel.clone());
        let mounts = match client.view(soon(message)).await {
            Ok(answer) => answer.into_inner().mounts,
            Err(status) if status.code() == Code::AlreadyExists => {
                let message = MountsRequest {
                    snapshotter: SNAPSHOTTER.to_owned(),
                    key: key.to_owned(),
                };
                let answer = client.mounts(soon(message)).await;
                let why = refused(|| format!("asking for the folders of snapshot {key}"));
                answer.map_err(why)?.into_inner().mounts
            }
            Err(status) => {
                return Err(refused(|| format!("making a view of {parent}"))(status));
            }
        };
        Layers::of(key, &mounts)
    }

    /// The keys of snapshots that have a label. Cancel-safe: it changes nothing.
    ///
    /// # Errors
    /// containerd does not answer.
    pub async fn labelled(&self, label: &str) -> Result<Vec<String>, Error> {
        let action = || format!("listing the snapshots with label {label}");
        let message = ListSnapshotsRequest {
            snapshotter: SNAPSHOTTER.to_owned(),
            filters: vec![format!("labels.{label:?}")],
        };
        let mut client = SnapshotsClient::new(self.channel.clone());
        let answer = client.list(soon(message)).await;
        let mut parts = answer.map_err(refused(action))?.into_inner();
        let mut keys = Vec::new();
        while let Some(part) = parts.message().await.map_err(refused(action))? {
            keys.extend(part.info.into_iter().map(|it| it.name));
        }
        Ok(keys)
    }

    /// Removes a snapshot that nobody has mounted. One that is not there is removed.
    ///
    /// # Errors
    /// containerd does not do it.
    pub async fn remove(&self, key: &str) -> Result<(), Error> {
        let message = RemoveSnapshotRequest {
            snapshotter: SNAPSHOTTER.to_owned(),
            key: key.to_owned(),
        };
        let mut client = SnapshotsClient::new(self.channel.clone());
        match client.remove(soon(message)).await {
            Err(status) if status.code() != Code::NotFound => {
                Err(refused(|| format!("removing the snapshot {key}"))(status))
            }
            _ => Ok(()),
        }
    }
}

fn spec(reference: &str) -> ImageSpec {
    ImageSpec {
        image: reference.to_owned(),
    }
}
