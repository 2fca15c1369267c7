//! The client of `cosi.resource.State`: the store's words over a channel, refusals told apart again.
//!
//! The channel is the caller's: a unix socket, TLS, anything. The client keeps no state but it; watches do not resume
//! by themselves, since only their reader knows what it has.

use std::fmt;
use std::sync::Arc;

use store::{LabelQuery, Phase, Reference, Registry, Resource, Spec, Typed};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::convert;
use super::error::{ClientError, called, told};
use super::events::WatchStream;
use super::proto;
use super::proto::state_client::StateClient;

/// Which resources of a kind are meant.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Alternatives; none means all.
    pub labels: Vec<LabelQuery>,
    /// A regular expression matching anywhere in the id.
    pub ids: Option<String>,
}

impl Query {
    fn labels(&self) -> Vec<proto::LabelQuery> {
        self.labels.iter().map(convert::label_query).collect()
    }

    fn ids(&self) -> Option<proto::IdQuery> {
        self.ids.clone().map(|regexp| proto::IdQuery { regexp })
    }
}

/// What to watch and from where. The default: a kind, from now on.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// One resource only.
    pub id: Option<String>,
    /// Which resources of the kind.
    pub query: Query,
    /// Begin with what is there, then `Bootstrapped`.
    pub contents: bool,
    /// Begin with this many past events.
    pub tail: u16,
    /// Begin after this place.
    pub after: Option<Vec<u8>>,
    /// Ask for a bookmark at the beginning.
    pub bookmark: bool,
    /// Several events per message.
    pub aggregated: bool,
}

/// A client of a state; cheap to clone, clones share the channel.
#[derive(Clone)]
pub struct Client {
    inner: StateClient<Channel>,
    registry: Arc<Registry>,
}

impl Client {
    /// A client over the channel. Types the registry does not know come as bytes and YAML.
    #[must_use]
    pub fn new(channel: Channel, registry: Arc<Registry>) -> Self {
        Self {
            inner: StateClient::new(channel),
            registry,
        }
    }

    /// One resource.
    ///
    /// # Errors
    /// `NotFound`, `Call`, `Malformed`.
    pub async fn get(&self, reference: &Reference) -> Result<Resource, ClientError> {
        let request = proto::GetRequest {
            namespace: reference.namespace.to_string(),
            r#type: reference.ty.to_string(),
            id: reference.id.to_string(),
            options: Some(proto::GetOptions {}),
        };
        let answer = self.inner.clone().get(request).await;
        let answer = answer.map_err(|status| told("get", reference, status))?;
        self.resource(answer.into_inner().resource)
    }

    /// One resource of a known type.
    ///
    /// # Errors
    /// As [`get`](Self::get), and `Type`.
    pub async fn get_as<S: Spec>(
        &self,
        namespace: &str,
        id: &str,
    ) -> Result<Typed<S>, ClientError> {
        let reference = Reference::new(namespace, S::DEFINITION.ty, id);
        typed(&self.get(&reference).await?)
    }

    /// The resources of a kind, by id.
    ///
    /// # Errors
    /// `Call`, `Malformed`.
    pub async fn list(
        &self,
        namespace: &str,
        ty: &str,
        query: &Query,
    ) -> Result<Vec<Resource>, ClientError> {
        let request = proto::ListRequest {
            namespace: namespace.to_owned(),
            r#type: ty.to_owned(),
            options: Some(proto::ListOptions {
                label_query: query.labels(),
                id_query: query.ids(),
            }),
        };
        let failed = |status| called("list", status);
        let mut answers = self
            .inner
            .clone()
            .list(request)
            .await
            .map_err(failed)?
            .into_inner();
        let mut resources = Vec::new();
        while let Some(answer) = answers.message().await.map_err(failed)? {
            resources.push(self.resource(answer.resource)?);
        }
        Ok(resources)
    }

    /// The resources of a known type in a namespace, by id.
    ///
    /// # Errors
    /// As [`list`](Self::list), and `Type`.
    pub async fn list_as<S: Spec>(&self, namespace: &str) -> Result<Vec<Typed<S>>, ClientError> {
        let all = self
            .list(namespace, S::DEFINITION.ty, &Query::default())
            .await?;
        all.iter().map(typed).collect()
    }

    /// Writes a new resource as this owner (empty: unowned), and returns it as stored.
    ///
    /// # Errors
    /// `Exists`, `Owner`, `Call`, `Malformed`.
    pub async fn create(&self, resource: &Resource, owner: &str) -> Result<Resource, ClientError> {
        let request = proto::CreateRequest {
            resource: Some(convert::resource(resource)),
            options: Some(proto::CreateOptions {
                owner: owner.to_owned(),
            }),
        };
        let answer = self.inner.clone().create(request).await;
        let answer = answer.map_err(|status| told("create", &resource.reference(), status))?;
        self.resource(answer.into_inner().resource)
    }

    /// Writes over the version that was read, as this owner, and returns it as stored. `None` expects no phase.
    ///
    /// # Errors
    /// `NotFound`, `Owner`, `Phase`, `Conflict`, `Call`, `Malformed`.
    pub async fn update(
        &self,
        resource: &Resource,
        owner: &str,
        expected: Option<Phase>,
    ) -> Result<Resource, ClientError> {
        let request = proto::UpdateRequest {
            new_resource: Some(convert::resource(resource)),
            options: Some(proto::UpdateOptions {
                owner: owner.to_owned(),
                expected_phase: expected.map(|phase| phase.to_string()),
            }),
        };
        let answer = self.inner.clone().update(request).await;
        let answer = answer.map_err(|status| told("update", &resource.reference(), status))?;
        self.resource(answer.into_inner().resource)
    }

    /// Removes a resource, as this owner.
    ///
    /// # Errors
    /// `NotFound`, `Owner`, `Conflict` while something holds it, `Call`.
    pub async fn destroy(&self, reference: &Reference, owner: &str) -> Result<(), ClientError> {
        let request = proto::DestroyRequest {
            namespace: reference.namespace.to_string(),
            r#type: reference.ty.to_string(),
            id: reference.id.to_string(),
            options: Some(proto::DestroyOptions {
                owner: owner.to_owned(),
            }),
        };
        let answer = self.inner.clone().destroy(request).await;
        answer.map_err(|status| told("destroy", reference, status))?;
        Ok(())
    }

    /// Marks a resource as on its way out, as this owner; whether nothing holds it.
    ///
    /// # Errors
    /// `NotFound`, `Owner`, `Call`.
    pub async fn teardown(&self, reference: &Reference, owner: &str) -> Result<bool, ClientError> {
        let request = proto::TeardownRequest {
            namespace: reference.namespace.to_string(),
            r#type: reference.ty.to_string(),
            id: reference.id.to_string(),
            options: Some(proto::TeardownOptions {
                owner: owner.to_owned(),
            }),
        };
        let answer = self.inner.clone().teardown(request).await;
        let answer = answer.map_err(|status| told("teardown", reference, status))?;
        Ok(answer.into_inner().destroy_ready)
    }

    /// Tears a resource down, waits until nothing holds it, and removes it.
    ///
    /// # Errors
    /// `NotFound`, `Owner`, `Call`.
    pub async fn teardown_and_destroy(
        &self,
        reference: &Reference,
        owner: &str,
    ) -> Result<(), ClientError> {
        let request = proto::TeardownAndDestroyRequest {
            namespace: reference.namespace.to_string(),
            r#type: reference.ty.to_string(),
            id: reference.id.to_string(),
            options: Some(proto::TeardownAndDestroyOptions {
                owner: owner.to_owned(),
            }),
        };
        let answer = self.inner.clone().teardown_and_destroy(request).await;
        answer.map_err(|status| told("teardown", reference, status))?;
        Ok(())
    }

    /// Begins to watch; returns once the server says that no change from now on will be missed.
    ///
    /// # Errors
    /// `InvalidBookmark`, `Call`.
    pub async fn watch(
        &self,
        namespace: &str,
        ty: &str,
        watch: &Watch,
    ) -> Result<WatchStream, ClientError> {
        let request = proto::WatchRequest {
            namespace: namespace.to_owned(),
            r#type: ty.to_owned(),
            id: watch.id.clone(),
            options: Some(proto::WatchOptions {
                bootstrap_contents: watch.contents,
                tail_events: i32::from(watch.tail),
                label_query: watch.query.labels(),
                id_query: watch.query.ids(),
                aggregated: watch.aggregated,
                start_from_bookmark: watch.after.clone(),
                bootstrap_bookmark: watch.bookmark,
            }),
            api_version: 1,
        };
        let failed = |status: Status| match status.code() {
            Code::FailedPrecondition => ClientError::InvalidBookmark(status.message().to_owned()),
            _ => called("watch", status),
        };
        let mut messages = self
            .inner
            .clone()
            .watch(request)
            .await
            .map_err(failed)?
            .into_inner();
        let ended = || called("watch", Status::unavailable("the stream has ended"));
        // The first message is the ready marker, and has no events.
        let first = messages
            .message()
            .await
            .map_err(failed)?
            .ok_or_else(ended)?;
        Ok(WatchStream::new(
            messages,
            first.event,
            Arc::clone(&self.registry),
        ))
    }

    fn resource(&self, resource: Option<proto::Resource>) -> Result<Resource, ClientError> {
        convert::from_resource(resource, &self.registry).map_err(ClientError::Malformed)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

fn typed<S: Spec>(resource: &Resource) -> Result<Typed<S>, ClientError> {
    Typed::from_resource(resource).ok_or_else(|| ClientError::Type(resource.reference()))
}
