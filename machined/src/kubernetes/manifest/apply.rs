//! Creates the objects of manifests, each once in the life of the cluster.

use std::collections::BTreeMap;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use http::Method;
use resources::config::{ACTIVE, MachineConfig};
use resources::kubernetes::{KUBERNETES, KubernetesSpec, Manifest, ManifestStatus};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::Condition;
use serde_json::Value;
use store::{Typed, Version};
use thiserror::Error;
use tokio::time::Instant;

use super::kinds::{self, Kinds};
use super::object::{Object, ObjectError};
use super::once;
use super::pace::{End, Pace};
use crate::kubernetes::admin::Admins;
use crate::kubernetes::client::{Client, ClientError};
use crate::kubernetes::static_pod::ready::API_SERVER;

/// The controller.
#[derive(Debug)]
pub struct Apply {
    admins: Admins,
    pace: Pace<Facts>,
}

/// What a round follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    /// The ids of all manifests with their versions.
    manifests: Vec<(String, Version)>,
    /// The name of the node, which the cluster knows it by.
    node: String,
    /// That of the config, with its authorities.
    generation: u64,
}

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

impl Apply {
    /// Asks the cluster as one of these.
    #[must_use]
    pub fn new(admins: Admins) -> Self {
        Self {
            admins,
            pace: Pace::default(),
        }
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

impl CreateError {
    /// Whether nothing else can be asked for either: a server that is away takes its time to say so for each object.
    fn is_of_all(&self) -> bool {
        matches!(self, Self::Client(error) if !error.is_refusal())
    }
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
    ///
    /// # Errors
    /// Why the cluster cannot be asked for more.
    async fn manifest(&mut self, manifest: &Manifest) -> Result<ManifestStatus, String> {
        let mut status = none_of(manifest, &manifest.reason);
        for text in &manifest.objects {
            let reason = match self.text(text).await? {
                None => {
                    status.created += 1;
                    continue;
                }
                Some(reason) => reason,
            };
            if status.reason.is_empty() {
                status.reason = reason;
            }
        }
        Ok(status)
    }

    /// The same for one object; says why it was not created.
    async fn text(&mut self, text: &str) -> Result<Option<String>, String> {
        let object = match read(text) {
            Ok(object) => object,
            Err(error) => return Ok(Some(cosi::report(&error))),
        };
        let Err(error) = self.object(&object).await else {
            return Ok(None);
        };
        let reason = format!("{object}: {}", cosi::report(&error));
        match error.is_of_all() {
            true => Err(reason),
            false => Ok(Some(reason)),
        }
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

/// What is said of a manifest that the cluster could not be asked for: what was created stays so while nobody answers.
fn unasked(
    manifest: &Typed<Manifest>,
    before: &[Typed<ManifestStatus>],
    reason: &str,
) -> ManifestStatus {
    let known = before.iter().find(|it| it.id() == manifest.id());
    let known = known.filter(|it| it.spec.reason.is_empty());
    known.map_or_else(|| none_of(&manifest.spec, reason), |it| (*it.spec).clone())
}

/// Goes through all manifests; gives what there is to say of each, and what it came to. Nobody is asked any more after the first answer
/// that is none.
async fn all(
    client: Client,
    manifests: &[Typed<Manifest>],
    before: &[Typed<ManifestStatus>],
) -> (Vec<ManifestStatus>, End) {
    let round = Round::begin(client).await;
    let mut round = round.map_err(|error| cosi::report(&error));
    let (mut end, mut statuses) = (End::All, Vec::new());
    for manifest in manifests {
        let created = match &mut round {
            Ok(round) => round.manifest(&manifest.spec).await,
            Err(reason) => Err(reason.clone()),
        };
        let status = match created {
            Ok(status) => status,
            Err(reason) => {
                end = End::Cut;
                let status = unasked(manifest, before, &reason);
                round = Err(reason);
                status
            }
        };
        // What nobody knows yet wakes this when somebody does.
        if end == End::All && !status.reason.is_empty() && manifest.spec.reason.is_empty() {
            end = End::Rejected;
        }
        statuses.push(status);
    }
    (statuses, end)
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
        let before = cx.mine::<ManifestStatus>();
        if !ready.is_some_and(|it| it.spec.met) {
            // One that comes back may take what it did not.
            self.pace = Pace::default();
            cx.replace::<ManifestStatus>();
            for manifest in &manifests {
                let waits = "waits for the node's API server";
                cx.put(manifest.id(), unasked(manifest, &before, waits));
            }
            return Ok(Outcome::Done);
        }
        let config = cx.get::<MachineConfig>(ACTIVE);
        let facts = Facts {
            manifests: manifests
                .iter()
                .map(|it| (it.id().to_owned(), it.metadata.version))
                .collect(),
            node: node.spec.hostname.clone(),
            generation: config.map_or(0, |it| it.spec.generation),
        };
        if let Some(wait) = self.pace.wait(&facts, Instant::now()) {
            return Ok(Outcome::Requeue(wait));
        }
        let documents = crate::config::documents(cx.parts().0)?;
        let trust = documents.kubernetes_trust();
        let client = self.admins.client(trust, &node.spec.hostname, cx.now())?;
        let (statuses, end) = all(client, &manifests, &before).await;
        cx.replace::<ManifestStatus>();
        for (manifest, status) in manifests.iter().zip(statuses) {
            cx.put(manifest.id(), status);
        }
        let wait = self.pace.ended(facts, end, Instant::now());
        Ok(Outcome::Requeue(wait))
    }
}

#[cfg(test)]
mod tests;
