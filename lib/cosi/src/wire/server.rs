//! The service `cosi.resource.State` over a store.
//!
//! Owns nothing but the translation: every rule is the store's, every permission the [`Access`]'s. Watches live in
//! [`super::watching`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use store::{
    CommitError, Committed, Entry, EventKind, Expect, Op, Phase, Reference, Registry, Store,
    Transaction, WatchRequest,
};
use tonic::{Extensions, Request, Response, Status};

use super::access::{Access, Call, Verb, Writer};
use super::codes::{Method, bad_query, malformed, refused};
use super::proto::state_server::{State, StateServer};
use super::{convert, proto, watching};
use crate::clock::{Clock, SystemClock};

/// The state service; cheap to clone.
#[derive(Clone)]
pub struct Server {
    store: Store,
    registry: Arc<Registry>,
    access: Arc<dyn Access>,
    clock: Arc<dyn Clock>,
}

/// A service tonic can serve.
pub type Service = StateServer<Server>;

impl Server {
    /// Serves the store to whom the access lets in. Types the registry does not know are kept as they come.
    pub fn new(store: Store, registry: Arc<Registry>, access: impl Access) -> Self {
        Self {
            store,
            registry,
            access: Arc::new(access),
            clock: Arc::new(SystemClock),
        }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The service, for a tonic router.
    #[must_use]
    pub fn into_service(self) -> Service {
        StateServer::new(self)
    }

    fn check(
        &self,
        verb: Verb,
        reference: (&str, &str, Option<&str>),
        owner: &str,
        extensions: &Extensions,
    ) -> Result<Writer, Status> {
        let (namespace, ty, id) = reference;
        self.access.check(&Call {
            verb,
            namespace,
            ty,
            id,
            owner,
            definition: self.registry.definition(ty),
            extensions,
        })
    }

    fn check_destroy(
        &self,
        reference: &Reference,
        owner: &str,
        extensions: &Extensions,
    ) -> Result<Writer, Status> {
        let Reference { namespace, ty, id } = reference;
        self.check(Verb::Destroy, (namespace, ty, Some(id)), owner, extensions)
    }

    /// One operation, by this writer, as this owner.
    fn commit(&self, writer: Writer, owner: String, op: Op) -> Result<Committed, CommitError> {
        let transaction = Transaction::new(writer.0).owner(owner).op(op);
        self.store.commit(transaction, self.clock.now())
    }

    /// Tears down one resource and says which incarnation that was.
    fn tear_down(
        &self,
        writer: Writer,
        owner: String,
        reference: Reference,
    ) -> Result<Arc<Entry>, Status> {
        let committed = self
            .commit(writer, owner, Op::Teardown(reference, Expect::ANY))
            .map_err(|error| refused(Method::Destroy, &error))?;
        stored(&committed)
    }

    /// Waits until nobody holds the incarnation, and destroys it. That someone else did so first is as good.
    async fn drain(&self, writer: Writer, owner: String, torn_down: &Entry) -> Result<(), Status> {
        let Reference { namespace, ty, id } = torn_down.reference();
        let watcher = self
            .store
            .watch(WatchRequest::one(namespace, ty, id))
            .map_err(|error| Status::unknown(error.to_string()))?;
        loop {
            let entry = match watcher.next().await.kind {
                EventKind::Created(entry) | EventKind::Updated { new: entry, .. } => entry,
                EventKind::Destroyed(_) | EventKind::Absent(_) => return Ok(()),
                EventKind::Bootstrapped | EventKind::Noop => continue,
            };
            if entry.uid != torn_down.uid {
                return Ok(());
            }
            if !entry.metadata.finalizers.is_empty() {
                continue;
            }
            let op = Op::Destroy(entry.reference(), Expect::ANY.uid(entry.uid));
            match self.commit(writer.clone(), owner.clone(), op) {
                Ok(_) | Err(CommitError::NotFound { .. } | CommitError::Uid { .. }) => {
                    return Ok(());
                }
                Err(CommitError::Held { .. }) => {}
                Err(error) => return Err(refused(Method::Destroy, &error)),
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// What a transaction of one operation left behind.
fn stored(committed: &Committed) -> Result<Arc<Entry>, Status> {
    committed
        .first()
        .cloned()
        .ok_or_else(|| Status::internal("the store did not say what it stored"))
}

#[tonic::async_trait]
impl State for Server {
    async fn get(
        &self,
        request: Request<proto::GetRequest>,
    ) -> Result<Response<proto::GetResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let reference = Reference::new(request.namespace, request.r#type, request.id);
        let Reference { namespace, ty, id } = &reference;
        self.check(Verb::Get, (namespace, ty, Some(id)), "", &extensions)?;
        let snapshot = self.store.snapshot();
        let entry = snapshot
            .find(&reference)
            .ok_or_else(|| Status::not_found(format!("{reference} does not exist")))?;
        Ok(Response::new(proto::GetResponse {
            resource: Some(convert::resource(entry)),
        }))
    }

    type ListStream = Pin<Box<dyn Stream<Item = Result<proto::ListResponse, Status>> + Send>>;

    async fn list(
        &self,
        request: Request<proto::ListRequest>,
    ) -> Result<Response<Self::ListStream>, Status> {
        let (_, extensions, request) = request.into_parts();
        let (namespace, ty) = (&request.namespace, &request.r#type);
        self.check(Verb::List, (namespace, ty, None), "", &extensions)?;
        let options = request.options.unwrap_or_default();
        let selector = convert::from_query(options.label_query, options.id_query)
            .map_err(|error| bad_query(&error))?;
        let snapshot = self.store.snapshot();
        let entries: Vec<_> = snapshot.select(namespace, ty, &selector).cloned().collect();
        // Encoded one by one, as the peer takes them.
        let answers = stream::iter(entries).map(|entry| {
            Ok(proto::ListResponse {
                resource: Some(convert::resource(&entry)),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn create(
        &self,
        request: Request<proto::CreateRequest>,
    ) -> Result<Response<proto::CreateResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let owner = request.options.unwrap_or_default().owner;
        let resource = convert::from_resource(request.resource, &self.registry)
            .map_err(|error| malformed(Method::Create, &error))?;
        let Reference { namespace, ty, id } = resource.reference();
        let writer = self.check(
            Verb::Create,
            (&namespace, &ty, Some(&id)),
            &owner,
            &extensions,
        )?;
        let committed = self
            .commit(writer, owner, Op::Create(resource))
            .map_err(|error| refused(Method::Create, &error))?;
        Ok(Response::new(proto::CreateResponse {
            resource: Some(convert::resource(&*stored(&committed)?)),
        }))
    }

    async fn update(
        &self,
        request: Request<proto::UpdateRequest>,
    ) -> Result<Response<proto::UpdateResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let options = request.options.unwrap_or_default();
        let resource = convert::from_resource(request.new_resource, &self.registry)
            .map_err(|error| malformed(Method::Update, &error))?;
        let phase: Option<Phase> = options
            .expected_phase
            .map(|text| text.parse())
            .transpose()
            .map_err(|source| {
                let resource = resource.reference();
                malformed(
                    Method::Update,
                    &convert::ConvertError::Phase { resource, source },
                )
            })?;
        let Reference { namespace, ty, id } = resource.reference();
        let writer = self.check(
            Verb::Update,
            (&namespace, &ty, Some(&id)),
            &options.owner,
            &extensions,
        )?;
        let expect = Expect {
            phase,
            ..Expect::ANY.version(resource.metadata.version)
        };
        let committed = self
            .commit(writer, options.owner, Op::Update(resource, expect))
            .map_err(|error| refused(Method::Update, &error))?;
        Ok(Response::new(proto::UpdateResponse {
            resource: Some(convert::resource(&*stored(&committed)?)),
        }))
    }

    async fn destroy(
        &self,
        request: Request<proto::DestroyRequest>,
    ) -> Result<Response<proto::DestroyResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let owner = request.options.unwrap_or_default().owner;
        let reference = Reference::new(request.namespace, request.r#type, request.id);
        let writer = self.check_destroy(&reference, &owner, &extensions)?;
        self.commit(writer, owner, Op::Destroy(reference, Expect::ANY))
            .map_err(|error| refused(Method::Destroy, &error))?;
        Ok(Response::new(proto::DestroyResponse {}))
    }

    async fn teardown(
        &self,
        request: Request<proto::TeardownRequest>,
    ) -> Result<Response<proto::TeardownResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let owner = request.options.unwrap_or_default().owner;
        let reference = Reference::new(request.namespace, request.r#type, request.id);
        let writer = self.check_destroy(&reference, &owner, &extensions)?;
        let entry = self.tear_down(writer, owner, reference)?;
        Ok(Response::new(proto::TeardownResponse {
            destroy_ready: entry.metadata.finalizers.is_empty(),
        }))
    }

    async fn teardown_and_destroy(
        &self,
        request: Request<proto::TeardownAndDestroyRequest>,
    ) -> Result<Response<proto::TeardownAndDestroyResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let owner = request.options.unwrap_or_default().owner;
        let reference = Reference::new(request.namespace, request.r#type, request.id);
        let writer = self.check_destroy(&reference, &owner, &extensions)?;
        let entry = self.tear_down(writer.clone(), owner.clone(), reference)?;
        self.drain(writer, owner, &entry).await?;
        Ok(Response::new(proto::TeardownAndDestroyResponse {}))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<proto::WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (_, extensions, request) = request.into_parts();
        let id = request.id.as_deref();
        let kind = (&*request.namespace, &*request.r#type, id);
        self.check(Verb::Watch, kind, "", &extensions)?;
        let watching = watching::Watching::open(&self.store, &self.clock, request)?;
        Ok(Response::new(watching.into_stream().boxed()))
    }
}
