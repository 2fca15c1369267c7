//! Asks the cluster whose a name is, and has it remember.

use std::future::Future;

use ::config::Documents;
use http::Method;
use jiff::Timestamp;
use pki::Fingerprint;
use serde_json::Value;

use super::binding::{self, Binding, Member, Op, PATH};
use super::refusal::Refusal;
use crate::kubernetes::admin::Admins;
use crate::kubernetes::client::{Client, ClientError};
use crate::kubernetes::node::object;

/// How often what was seen is looked at again when somebody else wrote meanwhile: another control plane, for the same worker.
const TRIES: usize = 3;

/// Who remembers whose a name is.
pub trait Names: Send + Sync + 'static {
    /// Has the holder of `key` have the name of a worker. `own` is the name of this control plane, with this config.
    fn take(
        &self,
        documents: &Documents,
        own: &str,
        name: &str,
        key: &Fingerprint,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// The cluster itself.
#[derive(Clone, Debug)]
pub struct InCluster {
    admins: Admins,
}

impl InCluster {
    /// Asked as an administrator.
    #[must_use]
    pub fn new(admins: Admins) -> Self {
        Self { admins }
    }
}

impl Names for InCluster {
    async fn take(
        &self,
        documents: &Documents,
        own: &str,
        name: &str,
        key: &Fingerprint,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let client = self.admins.client(documents.kubernetes_trust(), own, now);
        let client = client.map_err(|error| Refusal::Config(cosi::report(&error)))?;
        let unanswered = |error: ClientError| Refusal::Cluster(cosi::report(&error));
        for _ in 0..TRIES {
            let (member, binding) = look(&client, name).await.map_err(unanswered)?;
            let op = binding::plan(name, key, binding.as_ref(), member, now)?;
            match keep(&client, name, key, now, &op).await {
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                kept => return kept.map_err(unanswered),
            }
        }
        Err(Refusal::Cluster(
            "it changes all the time; ask again".to_owned(),
        ))
    }
}

async fn look(client: &Client, name: &str) -> Result<(Member, Option<Binding>), ClientError> {
    let node = found(client, &format!("/api/v1/nodes/{name}")).await?;
    let member = match node.map(|it| object::read(&it).control_plane) {
        None => Member::None,
        Some(false) => Member::Worker,
        Some(true) => Member::ControlPlane,
    };
    let object = found(client, &format!("{PATH}/{}", binding::id(name))).await?;
    Ok((member, object.as_ref().map(binding::read)))
}

async fn found(client: &Client, path: &str) -> Result<Option<Value>, ClientError> {
    match client.get(path).await {
        Err(error) if error.is_not_found() => Ok(None),
        object => object.map(Some),
    }
}

async fn keep(
    client: &Client,
    name: &str,
    key: &Fingerprint,
    now: Timestamp,
    op: &Op,
) -> Result<(), ClientError> {
    let object = binding::write(name, key, now, op);
    let (method, path) = match op {
        Op::Create => (Method::POST, PATH.to_owned()),
        Op::Replace { .. } => (Method::PUT, format!("{PATH}/{}", binding::id(name))),
    };
    let sent = client.send(method, &path, "application/json", Some(&object));
    sent.await.map(drop)
}
