//! `UpgradeService`: what an upgrade of Kubernetes asks of a node beside a new config.
//!
//! Nothing here goes on without its caller: a pull ends with it, and a change of an object is one request.

mod images;
mod workload;

use std::path::PathBuf;
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::upgrade_service_server::{UpgradeService, UpgradeServiceServer};
use ::config::skew::{self, Client as Asks, Release};
use ::config::{Documents, KubernetesVersion};
use futures_util::future::try_join_all;
use futures_util::stream::{BoxStream, StreamExt as _};
use http::Method;
use jiff::Timestamp;
use resources::kubernetes::{ApiServerEndpoint, KUBERNETES, KubernetesSpec};
use resources::net::{HOSTNAME, HostnameSpec};
use serde_json::Value;
use store::{Snapshot, Spec as _, Store};
use tonic::{Request, Response, Status};

use self::workload::{Kind, Wanted};
use crate::api::about;
use crate::config::active;
use crate::kubernetes::admin::{AdminError, Admins};
use crate::kubernetes::client::{Client, ClientError};
use crate::kubernetes::release::config::servers;

/// The service over the state of a node.
#[derive(Clone, Debug)]
pub struct Upgrade {
    store: Store,
    admins: Admins,
    containerd: PathBuf,
}

impl Upgrade {
    /// Of the node with this state, whose containerd has this socket.
    #[must_use]
    pub fn new(store: Store, admins: Admins, containerd: PathBuf) -> Self {
        Self {
            store,
            admins,
            containerd,
        }
    }

    /// As the API's port serves it.
    #[must_use]
    pub fn into_service(self) -> UpgradeServiceServer<Self> {
        UpgradeServiceServer::new(self)
    }
}

/// What a node knows of itself and its cluster.
struct Facts {
    cluster: KubernetesSpec,
    node: String,
    documents: Arc<Documents>,
    servers: Vec<Release>,
    /// Where an API server is that has not said what it is.
    silent: Option<String>,
}

fn cluster(snapshot: &Snapshot) -> Result<KubernetesSpec, Status> {
    let namespace = KubernetesSpec::DEFINITION.namespace;
    let cluster = snapshot.get_as::<KubernetesSpec>(namespace, KUBERNETES);
    let none = || {
        Status::failed_precondition(
            "this node is of no Kubernetes cluster: its config has no `Kubernetes`",
        )
    };
    Ok((*cluster.ok_or_else(none)?.spec).clone())
}

impl Facts {
    /// Of a node of the control plane: others may not ask for what is in the cluster.
    fn of(store: &Store) -> Result<Self, Status> {
        let snapshot = store.snapshot();
        let cluster = cluster(&snapshot)?;
        if !cluster.control_plane {
            return Err(Status::failed_precondition(
                "this node is a worker; ask one of the control plane",
            ));
        }
        let active = active(&snapshot);
        let active = active.map_err(|error| Status::internal(cosi::report(&error)))?;
        let name = snapshot.get_as::<HostnameSpec>(HostnameSpec::DEFINITION.namespace, HOSTNAME);
        let (Some(active), Some(name)) = (active, name) else {
            return Err(Status::unavailable("the node has no config or no name yet"));
        };
        let documents = active.documents;
        let node = name.spec.hostname.clone();
        let namespace = ApiServerEndpoint::DEFINITION.namespace;
        let known: Vec<_> = snapshot.list_as::<ApiServerEndpoint>(namespace).collect();
        let servers = servers(known.iter().map(|it| (it.id(), &*it.spec)), &node);
        let silent = servers.iter().find(|it| it.release.is_none());
        Ok(Self {
            cluster,
            node,
            documents,
            silent: silent.map(|it| it.place.clone()),
            servers: servers.iter().filter_map(|it| it.release).collect(),
        })
    }

    fn client(&self, admins: &Admins) -> Result<Client, Status> {
        let trust = self.documents.kubernetes_trust();
        let client = admins.client(trust, &self.node, Timestamp::now());
        client.map_err(|error| {
            let text = cosi::report(&error);
            match error {
                AdminError::NoAuthority => Status::failed_precondition(text),
                _ => Status::internal(text),
            }
        })
    }

    /// Whether kube-proxy may be of a version, as far as the API servers say what they are.
    fn may_be(&self, version: KubernetesVersion) -> Result<(), Status> {
        if let Some(place) = &self.silent {
            return Err(Status::unavailable(format!(
                "kube-proxy may not be newer than kube-apiserver: the API server at {place} has not said yet what it is"
            )));
        }
        skew::asks(Asks::KubeProxy, version.into(), &self.servers)
            .map_err(|skew| Status::failed_precondition(skew.to_string()))
    }
}

fn version(text: &str) -> Result<KubernetesVersion, Status> {
    let version = text.parse();
    version.map_err(|error: ::config::KubernetesVersionError| {
        Status::invalid_argument(error.to_string())
    })
}

fn failed(error: &ClientError) -> Status {
    let text = cosi::report(error);
    match error {
        // Somebody else changed it since it was read.
        _ if error.is_conflict() => Status::aborted(format!("{text}; say it again")),
        ClientError::Refused { .. } => Status::failed_precondition(text),
        _ => Status::unavailable(text),
    }
}

/// Every object with what is said of it.
async fn look(client: &Client, wanted: Vec<Wanted>) -> Result<Vec<(Wanted, Value)>, Status> {
    let asked = wanted.into_iter().map(|it| async {
        match client.get(&it.path()).await {
            Err(error) if error.is_not_found() => Ok((it, Value::Null)),
            Err(error) => Err(failed(&error)),
            Ok(object) => Ok((it, object)),
        }
    });
    try_join_all(asked).await
}

/// Gives an object another image, unless it is another one by now.
async fn change(client: &Client, wanted: &Wanted, object: &Value) -> Result<(), Status> {
    let Some(patch) = wanted.patch(object) else {
        return Ok(());
    };
    let merge = "application/strategic-merge-patch+json";
    let path = format!("{}?fieldManager=garboard", wanted.path());
    let changed = client.send(Method::PATCH, &path, merge, Some(&patch));
    changed.await.map_err(|error| failed(&error))?;
    tracing::info!(object = wanted.name(), "has another image");
    Ok(())
}

fn shown(found: &[(Wanted, Value)]) -> Response<v1::WorkloadsResponse> {
    let workloads = found.iter().map(|(wanted, object)| wanted.shown(object));
    Response::new(v1::WorkloadsResponse {
        workloads: workloads.collect(),
    })
}

type Pulls = BoxStream<'static, Result<v1::PullImagesResponse, Status>>;

#[tonic::async_trait]
impl UpgradeService for Upgrade {
    type PullImagesStream = Pulls;

    async fn pull_images(
        &self,
        request: Request<v1::PullImagesRequest>,
    ) -> Result<Response<Pulls>, Status> {
        let wanted = version(&request.get_ref().version)?;
        about(&request, "images of Kubernetes");
        let cluster = cluster(&self.store.snapshot())?;
        let images = images::of(&cluster, wanted);
        let client = containerd::Client::new(&self.containerd);
        Ok(Response::new(images::pull(client, images).boxed()))
    }

    async fn workloads(
        &self,
        request: Request<v1::WorkloadsRequest>,
    ) -> Result<Response<v1::WorkloadsResponse>, Status> {
        let facts = Facts::of(&self.store)?;
        let wanted = match request.get_ref().version.as_str() {
            "" => facts.cluster.version.as_str(),
            named => named,
        };
        let wanted = workload::all(&facts.cluster, &facts.node, version(wanted)?);
        Ok(shown(&look(&facts.client(&self.admins)?, wanted).await?))
    }

    async fn update_workloads(
        &self,
        request: Request<v1::UpdateWorkloadsRequest>,
    ) -> Result<Response<v1::WorkloadsResponse>, Status> {
        about(&request, "kube-proxy and coredns");
        let facts = Facts::of(&self.store)?;
        let version = version(&facts.cluster.version)?;
        facts.may_be(version)?;
        let mut wanted = workload::all(&facts.cluster, &facts.node, version);
        wanted.retain(|it| it.kind() != Kind::Pod);
        let client = facts.client(&self.admins)?;
        for (it, object) in look(&client, wanted.clone()).await? {
            change(&client, &it, &object).await?;
        }
        Ok(shown(&look(&client, wanted).await?))
    }
}
