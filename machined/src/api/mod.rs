//! The node's API port: accepts, encrypts, authorises, records, and asks the node.
//!
//! ```text
//! socket -> accept/admission -> TLS (endpoint) -> HTTP/2 -> layer (authz, audit) -> machine | maintenance | mounted services -> Node
//!                                               (or 1.1)                         -> scrape (/metrics)                       -> Node
//! ```
//!
//! It never reads configuration or state of its own accord: what it serves comes from [`Node`] and from services mounted by the
//! caller, what it is comes through the [`Endpoint`] channel. Limits hold for everything that comes from outside; each constant
//! says where its number comes from. The tasks it starts (one per connection, tonic's and `accept`'s) end with [`Server::serve`].

mod accept;
mod access;
mod admission;
mod audit;
mod authz;
mod cluster;
mod endpoint;
mod farewell;
mod layer;
mod machine;
mod maintenance;
mod node;
mod pairing;
mod peer;
mod proof;
mod scrape;
mod serving;
mod storage;
mod streams;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use ::api::v1alpha1::cluster_service_server::ClusterServiceServer;
use ::api::v1alpha1::machine_service_server::MachineServiceServer;
use ::api::v1alpha1::maintenance_service_server::MaintenanceServiceServer;
use ::api::v1alpha1::storage_service_server::StorageServiceServer;
use ::api::{DescriptorError, FILE_DESCRIPTOR_SET, MAX_REQUEST};
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Request, Response};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tonic::transport::Server as Http2;

pub use access::{Kind, Refusal, RemoteAccess, Sensitivity, may_read};
pub(crate) use admission::Source;
pub use admission::{Limit, Limits};
pub use audit::{Log, Record, Sink, Target, about};
pub use authz::{AUTHZ, Access, Denial, Row, decide, page, rule, without_rule};
pub use endpoint::{Endpoint, Mode};
pub(crate) use machine::peer;
pub use node::{Answers, Caller, Failure, Node};
pub use pairing::Pairing;
pub use peer::Peer;
pub use proof::Proof;
pub use serving::{Issuer, RenewError, Wanted, renew_forever};

/// Calls at once on one connection: a person's watches and streams, many times over. HTTP/2 has the caller keep back what would be
/// more. A connection remembers room for as many as it once had, so this bounds what a connection costs.
const STREAMS: u32 = 32;

/// What a peer may send on one call before the handler has read it. An upload of 4 MiB takes 64 round trips with it.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all calls of a connection together; times the connections it bounds what strangers make the node hold.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// Request headers: a path and a handful of gRPC's own.
const HEADERS: u32 = 16 * 1024;

/// A peer that does not answer a ping for so long after so much silence is gone, or reads nothing any more.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_WAIT: Duration = Duration::from_secs(10);

/// What running calls get to end by themselves once the server drains, and those who follow to hear the last of it. After
/// that their answers are ended. init gives the daemon ten seconds in all.
const DRAIN: Duration = Duration::from_secs(2);

/// What the last bytes then get to go out before the sockets are closed.
const CLOSE: Duration = Duration::from_secs(1);

/// Connections whose handshake is done but which HTTP/2 has not taken yet; it takes them at once.
const READY: usize = 16;

/// The port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Methods without a rule.
    #[error("serve {}; add rows to machined/src/api/authz.rs", .0.join(", "))]
    WithoutRule(Vec<String>),
    /// Descriptors that cannot be read.
    #[error("check the served methods against the authorisation table")]
    Descriptors(#[source] DescriptorError),
    /// The socket is unusable.
    #[error("use the API's listening socket")]
    Socket(#[source] io::Error),
    /// HTTP/2 ended.
    #[error("serve HTTP/2")]
    Http(#[source] tonic::transport::Error),
}

/// The API server, before it serves.
#[derive(Clone)]
#[expect(
    missing_debug_implementations,
    reason = "tonic's routes and the sink have nothing to show"
)]
pub struct Server {
    endpoint: watch::Receiver<Arc<Endpoint>>,
    sink: Arc<dyn Sink>,
    limits: Limits,
    routes: RoutesBuilder,
    scrape: scrape::Scrape,
    descriptors: Vec<&'static [u8]>,
}

impl Server {
    /// A server for `node` that is what `endpoint` says at any moment.
    pub fn new<N: Node>(
        node: Arc<N>,
        pairing: Arc<Pairing>,
        endpoint: watch::Receiver<Arc<Endpoint>>,
    ) -> Self {
        let machine = machine::Machine::new(Arc::clone(&node));
        let cluster = cluster::Cluster::new(Arc::clone(&node));
        let storage = storage::Storage::new(Arc::clone(&node));
        let asked = Arc::clone(&node);
        let scrape = scrape::Scrape(Arc::new(move || {
            let node = Arc::clone(&asked);
            Box::pin(async move { node.metrics().await })
        }));
        let maintenance = maintenance::Maintenance::new(node, pairing);
        let mut routes = RoutesBuilder::default();
        routes
            .add_service(MachineServiceServer::new(machine).max_decoding_message_size(MAX_REQUEST))
            .add_service(ClusterServiceServer::new(cluster).max_decoding_message_size(MAX_REQUEST))
            .add_service(StorageServiceServer::new(storage).max_decoding_message_size(MAX_REQUEST))
            .add_service(
                MaintenanceServiceServer::new(maintenance).max_decoding_message_size(MAX_REQUEST),
            );
        let descriptors = vec![FILE_DESCRIPTOR_SET];
        Self {
            endpoint,
            sink: Arc::new(Log),
            limits: Limits::default(),
            routes,
            scrape,
            descriptors,
        }
    }

    /// Sends audit records to `sink` instead of the log alone.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink) -> Self {
        self.sink = Arc::new(sink);
        self
    }

    /// Other limits than the usual.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Mounts another service behind the same gate. `descriptors` is its encoded `google.protobuf.FileDescriptorSet`: each of
    /// its methods needs a row in [`AUTHZ`]. Its handlers find a [`Peer`] and a [`Target`] in the request's extensions.
    #[must_use]
    pub fn mount<S>(mut self, service: S, descriptors: &'static [u8]) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.descriptors.push(descriptors);
        self
    }

    /// Serves on `listener` until `drain` resolves; then stops accepting, gives running calls two seconds, tells the rest that
    /// the node is unavailable, and ends within another.
    ///
    /// Cancel-safe: dropping it closes what is in a handshake; established connections end when their tasks notice.
    ///
    /// # Errors
    /// At once when a method has no row or the socket is unusable; later only when HTTP/2 itself fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        drain: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        self.check()?;
        let streaming = self.streaming()?;
        listener.set_nonblocking(true).map_err(ServeError::Socket)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Socket)?;
        let admission = admission::Admission::new(self.limits);
        let drain = drain.shared();
        let (ready, connections) = mpsc::channel(READY);
        let accept = accept::run(listener, admission.clone(), self.endpoint.clone(), ready);
        let (end_answers, ending) = watch::channel(false);
        let gate = layer::Gate {
            endpoint: self.endpoint,
            sink: self.sink,
            streams: streams::Streams::new(self.limits.streams, streaming),
            ending,
        };
        let incoming = ReceiverStream::new(connections).map(Ok::<_, Infallible>);
        let http = http2()
            .layer(gate)
            .layer(self.scrape)
            .add_routes(self.routes.routes())
            .serve_with_incoming_shutdown(incoming, drain.clone());
        let accept_until_drained = async {
            tokio::select! { () = accept => {}, () = drain => {} }
            sleep(DRAIN).await;
            end_answers.send_replace(true);
            sleep(CLOSE).await;
            admission.end_all();
            pending::<Infallible>().await
        };
        tokio::select! {
            result = Box::pin(http) => result.map_err(ServeError::Http),
            never = accept_until_drained => match never {},
        }
    }

    /// The methods whose answers may go on.
    fn streaming(&self) -> Result<BTreeSet<String>, ServeError> {
        let mut all = BTreeSet::new();
        for set in &self.descriptors {
            all.extend(::api::streaming(set).map_err(ServeError::Descriptors)?);
        }
        Ok(all)
    }

    fn check(&self) -> Result<(), ServeError> {
        let mut missing = Vec::new();
        for set in &self.descriptors {
            let served = ::api::methods(set).map_err(ServeError::Descriptors)?;
            missing.extend(without_rule(&served));
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ServeError::WithoutRule(missing))
        }
    }
}

fn http2() -> Http2 {
    Http2::builder()
        // Who may speak it is `accept`'s. A connection that is silent for half a minute is closed by hyper.
        .accept_http1(true)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADERS)
        .http2_keepalive_interval(Some(PING_AFTER))
        .http2_keepalive_timeout(Some(PING_WAIT))
}
