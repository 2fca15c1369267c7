//! Creates the objects of manifests, each once in the life of the cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use http::Method;
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec, Manifest, ManifestStatus};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::Condition;
use serde_json::Value;
use thiserror::Error;

use super::kinds::{self, Kinds};
use super::object::{Object, ObjectError};
use super::once;
use crate::kubernetes::admin;
use crate::kubernetes::client::{Client, ClientError};
use crate::kubernetes::static_pod::ready::API_SERVER;

/// How soon a cluster is asked again that lacks something, and one that has all: it may be another one by then, from a snapshot
/// of its state.
const SOON: Duration = Duration::from_secs(3);
const LATER: Duration = Duration::from_secs(600);

/// The controller.
#[derive(Debug, Default)]
pub struct Apply;

cosi::declare! {
    Apply as "kubernetes.manifest.apply" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads HostnameSpec;
        reads Manifest;
        reads Condition;
        writes ManifestStatus;
    }
}

/// Why an object was not created, or the cluster could not be asked at all.
#[derive(Debug, Error)]
enum CreateError {
    #[error("reading it")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("the cluster knows no {kind} of {api_version}")]
    Kind { kind: String, api_version: String },
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A round through all manifests.
struct Round {
    client: Client,
    list: Value,
    /// Groups and versions that the cluster was asked for.
    kinds: BTreeMap<String, Kinds>,
}

impl Round {
    /// Begins one: the list is there afterwards.
    async fn begin(client: Client) -> Result<Self, CreateError> {
        let list = match client.get(&once::path()).await {
            Err(error) if error.is_not_found() => {
                let empty = once::empty();
                match create(&client, &once::paths(), &empty).await {
                    // Another node was faster; what it put there is read in the next round.
                    Err(error) if !error.is_conflict() => return Err(error.into()),
                    _ => empty,
                }
            }
            list => list?,
        };
        Ok(Self {
            client,
            list,
            kinds: BTreeMap::new(),
        })
    }

    /// Creates an object unless that was done before.
    async fn object(&mut self, object: &Object) -> Result<(), CreateError> {
        if once::has(&self.list, object) {
            return Ok(());
        }
        let path = self.path(object).await?;
        match create(&self.client, &path, object.value()).await {
            // Somebody was faster, and has the last word.
            Err(error) if !error.is_conflict() => return Err(error.into()),
            _ => {}
        }
        let patch = once::patch(object);
        let merge = "application/merge-patch+json";
        self.client
            .send(Method::PATCH, &once::path(), merge, Some(&patch))
            .await?;
        Ok(())
    }

    /// Where it is created.
    async fn path(&mut self, object: &Object) -> Result<String, CreateError> {
        let api_version = object.api_version();
        let unknown = || CreateError::Kind {
            kind: object.kind().to_owned(),
            api_version: api_version.to_owned(),
        };
        if !self.kinds.contains_key(api_version) {
            let list = match self.client.get(&kinds::listed_at(api_version)).await {
                Err(error) if error.is_not_found() => return Err(unknown()),
                list => list?,
            };
            let kinds = Kinds::read(&list);
            self.kinds.insert(api_version.to_owned(), kinds);
        }
        let kinds = self.kinds.get(api_version);
        kinds
            .and_then(|it| it.created_at(object))
            .ok_or_else(unknown)
    }

    /// Creates what of a manifest was not created before.
    async fn manifest(&mut self, manifest: &Manifest) -> ManifestStatus {
        let mut status = none_of(manifest, &manifest.reason);
        for text in &manifest.objects {
            match self.text(text).await {
                Ok(()) => status.created += 1,
                Err(reason) if status.reason.is_empty() => status.reason = reason,
                Err(_) => {}
            }
        }
        status
    }

    /// The same for one object; says what failed with which.
    async fn text(&mut self, text: &str) -> Result<(), String> {
        let object = read(text).map_err(|error| cosi::report(&error))?;
        let created = self.object(&object).await;
        created.map_err(|error| format!("{object}: {}", cosi::report(&error)))
    }
}

async fn create(client: &Client, path: &str, object: &Value) -> Result<Value, ClientError> {
    let path = format!("{path}?fieldManager=garboard");
    client
        .send(Method::POST, &path, "application/json", Some(object))
        .await
}

fn read(text: &str) -> Result<Object, CreateError> {
    Ok(Object::new(serde_json::from_str(text)?)?)
}

/// A manifest of which nothing was created.
fn none_of(manifest: &Manifest, reason: &str) -> ManifestStatus {
    ManifestStatus {
        objects: u32::try_from(manifest.objects.len()).unwrap_or(u32::MAX),
        created: 0,
        reason: reason.to_owned(),
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let manifests = cx.list::<Manifest>();
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        if manifests.is_empty() || !cluster.is_some_and(|it| it.spec.control_plane) {
            cx.replace::<ManifestStatus>();
            return Ok(Outcome::Done);
        }
        let Some(node) = cx.get::<HostnameSpec>(HOSTNAME) else {
            return Ok(Outcome::WaitingOn("the node's name".to_owned()));
        };
        let ready = cx.get::<Condition>(API_SERVER);
        let ready = ready.is_some_and(|it| it.spec.met);
        let before = cx.mine::<ManifestStatus>();
        cx.replace::<ManifestStatus>();
        let round = if ready {
            let documents = crate::config::documents(cx.parts().0)?;
            let client = admin::client(&documents, &node.spec.hostname, cx.now())?;
            let round = Round::begin(client).await;
            round.map_err(|error| cosi::report(&error))
        } else {
            Err("waits for the node's API server".to_owned())
        };
        let mut round = match round {
            Ok(round) => round,
            Err(reason) => {
                for manifest in &manifests {
                    // What was created stays so while nobody answers.
                    let known = before.iter().find(|it| it.id() == manifest.id());
                    let known = known.filter(|it| it.spec.reason.is_empty());
                    let status = known
                        .map_or_else(|| none_of(&manifest.spec, &reason), |it| (*it.spec).clone());
                    cx.put(manifest.id(), status);
                }
                return Ok(if ready {
                    Outcome::Requeue(SOON)
                } else {
                    Outcome::Done
                });
            }
        };
        let mut again = LATER;
        for manifest in &manifests {
            let status = round.manifest(&manifest.spec).await;
            // What nobody knows yet wakes this when somebody does.
            if !status.reason.is_empty() && manifest.spec.reason.is_empty() {
                again = SOON;
            }
            cx.put(manifest.id(), status);
        }
        Ok(Outcome::Requeue(again))
    }
}
