//! A node that remembers what it was asked, the server in front of it, and clients of every kind.

use std::fs;
use std::future::pending;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::etcd::FakeEtcd;
use super::upgrade::FakeUpgrade;
use ::api::v1alpha1 as v1;
use futures_util::{StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use machined::api::{
    Answers, Caller, Endpoint, Failure, Limits, Node, Pairing, Record, RemoteAccess, Server, Sink,
};
use machined::inspect::Inspect;
use machined::join::Desk;
use machined::metrics::{Calls, Metrics};
use machined::runtime::logs::Logs;
use pki::pairing::{PairingSecret, PairingString};
use pki::{Authority, CLIENT_LIFETIME, Identity, Names, Role, Roles, SERVING_LIFETIME, Trust, tls};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use store::{Op, Registry, Resource, Spec, Store, Transaction};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;
use tower::service_fn;

use super::join::FirstCome;

/// Far longer than anything here takes, so that a hang is a failure and not a stuck run.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct FakeNode {
    pub(crate) asked: Mutex<Vec<(Caller, String)>>,
    pub(crate) clock: Mutex<Option<Timestamp>>,
    /// The calls of its server.
    pub(crate) calls: Calls,
    /// Messages that the endless event stream has made.
    pub(crate) made: Arc<std::sync::atomic::AtomicU64>,
    /// Real logs instead of made-up ones.
    logs: Mutex<Option<Logs>>,
}

impl FakeNode {
    /// Serves these logs.
    pub(crate) fn follow(&self, logs: Logs) {
        *self.logs.lock().unwrap() = Some(logs);
    }

    fn note(&self, caller: Caller, what: String) {
        self.asked.lock().unwrap().push((caller, what));
    }
}

impl Node for FakeNode {
    fn version(&self) -> v1::VersionResponse {
        v1::VersionResponse {
            version: "0.0.0-test".to_owned(),
            ..Default::default()
        }
    }

    fn set_clock(&self, to: Timestamp) -> Result<Timestamp, Failure> {
        *self.clock.lock().unwrap() = Some(to);
        Ok(to)
    }

    async fn reboot(&self, caller: Caller, _: v1::RebootRequest) -> Result<(), Failure> {
        self.note(caller, "reboot".to_owned());
        Ok(())
    }

    async fn shutdown(&self, caller: Caller, _: v1::ShutdownRequest) -> Result<(), Failure> {
        self.note(caller, "shutdown".to_owned());
        Ok(())
    }

    async fn reset(
        &self,
        caller: Caller,
        request: v1::ResetRequest,
    ) -> Result<v1::ResetResponse, Failure> {
        self.note(caller, format!("reset {}", request.disk));
        Ok(v1::ResetResponse::default())
    }

    async fn wipe_disk(
        &self,
        request: v1::WipeDiskRequest,
    ) -> Result<v1::WipeDiskResponse, Failure> {
        Ok(v1::WipeDiskResponse {
            disk: request.disk,
            ..Default::default()
        })
    }

    async fn bootstrap(&self) -> Result<v1::BootstrapResponse, Failure> {
        Ok(v1::BootstrapResponse::default())
    }

    async fn kubeconfig(
        &self,
        _: Caller,
        _: v1::KubeconfigRequest,
    ) -> Result<v1::KubeconfigResponse, Failure> {
        Ok(v1::KubeconfigResponse::default())
    }

    async fn order_service(&self, request: v1::OrderServiceRequest) -> Result<(), Failure> {
        match request.service.as_str() {
            "nothing" => Err(Failure::not_found("there is no service \"nothing\"")),
            _ => Ok(()),
        }
    }

    async fn apply_config(
        &self,
        caller: Caller,
        request: v1::ApplyConfigRequest,
    ) -> Result<v1::ApplyConfigResponse, Failure> {
        if request.documents.starts_with(b"bad") {
            return Err(Failure::invalid("line 1, column 1: bad"));
        }
        self.note(caller, format!("apply {}", request.documents.len()));
        Ok(v1::ApplyConfigResponse {
            generation: 1,
            ..Default::default()
        })
    }

    async fn confirm_config(
        &self,
        _: Caller,
        _: v1::ConfirmConfigRequest,
    ) -> Result<v1::ConfirmConfigResponse, Failure> {
        Ok(v1::ConfirmConfigResponse::default())
    }

    async fn rollback_config(
        &self,
        _: Caller,
        _: v1::RollbackConfigRequest,
    ) -> Result<v1::RollbackConfigResponse, Failure> {
        Ok(v1::RollbackConfigResponse::default())
    }

    async fn config_history(&self) -> Result<v1::ConfigHistoryResponse, Failure> {
        Ok(v1::ConfigHistoryResponse::default())
    }

    async fn diff_config(
        &self,
        _: v1::DiffConfigRequest,
    ) -> Result<v1::DiffConfigResponse, Failure> {
        Ok(v1::DiffConfigResponse::default())
    }

    async fn validate_config(&self, _: Vec<u8>) -> Result<v1::ValidateConfigResponse, Failure> {
        Ok(v1::ValidateConfigResponse::default())
    }

    async fn config(&self, reveal: bool) -> Result<v1::GetConfigResponse, Failure> {
        let documents = if reveal {
            "key: secret"
        } else {
            "key: redacted"
        };
        Ok(v1::GetConfigResponse {
            documents: documents.into(),
            generation: 1,
        })
    }

    async fn metrics(&self) -> Result<String, Failure> {
        let store = Store::new(1);
        let controllers = cosi::Runtime::new("machined", store.clone()).counters();
        let metrics = Metrics::new(store, controllers, self.calls.clone());
        Ok(metrics.text().await.unwrap())
    }

    async fn logs(&self, request: v1::LogsRequest) -> Result<Answers<v1::LogsResponse>, Failure> {
        if request.service == "endless" {
            return pending().await;
        }
        if let Some(logs) = self.logs.lock().unwrap().clone() {
            let follower = logs.open(&request.service, request.tail_lines).unwrap();
            let follower = follower.follow().unwrap();
            let lines = stream::unfold(follower, |mut follower| async move {
                let data = follower.next().await.unwrap();
                Some((Ok(v1::LogsResponse { data }), follower))
            });
            return Ok(lines.boxed());
        }
        if request.service == "nothing" {
            return Err(Failure::not_found("no service is named \"nothing\""));
        }
        Ok(stream::iter([Ok(v1::LogsResponse {
            data: b"one\n".to_vec(),
        })])
        .boxed())
    }

    async fn dmesg(&self, _: v1::DmesgRequest) -> Result<Answers<v1::DmesgResponse>, Failure> {
        Ok(stream::iter([Ok(v1::DmesgResponse::default())]).boxed())
    }

    /// Ends after one event, or never when followed.
    async fn events(
        &self,
        request: v1::EventsRequest,
    ) -> Result<Answers<v1::EventsResponse>, Failure> {
        let made = Arc::clone(&self.made);
        let endless = stream::repeat_with(move || {
            let id = made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(v1::EventsResponse {
                id,
                message: "x".repeat(16 * 1024),
                ..Default::default()
            })
        });
        Ok(if request.follow {
            endless.boxed()
        } else {
            endless.take(1).boxed()
        })
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Records(pub(crate) Arc<Mutex<Vec<Record>>>, Arc<Notify>);

impl Sink for Records {
    fn record(&self, record: &Record) {
        self.0.lock().unwrap().push(record.clone());
        self.1.notify_waiters();
    }
}

impl Records {
    /// The first record that satisfies `wanted`, once it is written.
    pub(crate) async fn wait(&self, wanted: impl Fn(&Record) -> bool) -> Record {
        let found = |records: &[Record]| records.iter().find(|record| wanted(record)).cloned();
        self.until(found).await
    }

    /// What `found` finds among all records, once it does.
    pub(crate) async fn until<T>(&self, found: impl Fn(&[Record]) -> Option<T>) -> T {
        let found = async {
            loop {
                // Before the look, so that a record that comes after it is heard of.
                let another = self.1.notified();
                if let Some(found) = found(&self.0.lock().unwrap()) {
                    return found;
                }
                another.await;
            }
        };
        timeout(DEADLINE, found)
            .await
            .expect("the record is written")
    }
}

/// A cluster's authority and what it issues.
pub(crate) struct Cluster {
    pub(crate) authority: Authority,
    pub(crate) trust: Trust,
    made: Timestamp,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self::made_at(Timestamp::now())
    }

    pub(crate) fn made_at(made: Timestamp) -> Self {
        let authority = Authority::generate("garboard api", made).unwrap();
        let trust = Trust::from_pem(authority.identity().certificate_pem()).unwrap();
        Self {
            authority,
            trust,
            made,
        }
    }

    /// Keeps it where another process reads it.
    pub(crate) fn write(&self, folder: &Path) {
        let own = self.authority.identity();
        fs::write(folder.join("ca.crt"), own.certificate_pem()).unwrap();
        fs::write(folder.join("ca.key"), own.key_pem().expose()).unwrap();
    }

    /// The one that was written there.
    pub(crate) fn read(folder: &Path) -> Self {
        let read = |name| fs::read_to_string(folder.join(name)).unwrap();
        let (certificate, key) = (read("ca.crt"), read("ca.key"));
        Self {
            authority: Authority::from_pem(&certificate, &key).unwrap(),
            trust: Trust::from_pem(&certificate).unwrap(),
            made: Timestamp::now(),
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        let own = self.authority.issue_serving(
            "node-1",
            &Names::loopback(),
            SERVING_LIFETIME,
            Timestamp::now(),
        );
        Endpoint::running(&own.unwrap(), &self.trust).unwrap()
    }

    pub(crate) fn person(&self, roles: Roles) -> Identity {
        self.authority
            .issue_client("mina", roles, CLIENT_LIFETIME, self.made)
            .unwrap()
    }

    pub(crate) fn client(&self, role: Role) -> Arc<ClientConfig> {
        tls::client(&self.trust, &self.person(role.into())).unwrap()
    }

    /// A certificate of ten minutes, issued when the cluster was made.
    pub(crate) fn short_lived(&self) -> Arc<ClientConfig> {
        let life = SignedDuration::from_mins(10);
        let roles = Role::Admin.into();
        let person = self
            .authority
            .issue_client("mina", roles, life, self.made)
            .unwrap();
        tls::client(&self.trust, &person).unwrap()
    }
}

/// A kind that anybody with a reading role may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[spec(type = "Lamps.test.garboard", namespace = "test")]
pub(crate) struct Lamp {
    /// Whether it is lit.
    #[field(1)]
    pub(crate) lit: bool,
}

/// A kind for admins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[spec(type = "Safes.test.garboard", namespace = "test", sensitive)]
pub(crate) struct Safe {
    /// How to open it.
    #[field(1)]
    pub(crate) combination: String,
}

/// The state service over a store with one of each.
pub(crate) fn state() -> cosi::wire::Service {
    let mut registry = Registry::new();
    registry
        .register::<Lamp>()
        .unwrap()
        .register::<Safe>()
        .unwrap();
    let store = Store::new(1);
    let lamp = Resource::in_default("one", Lamp { lit: true });
    let safe = Resource::in_default(
        "one",
        Safe {
            combination: "hush".to_owned(),
        },
    );
    let transaction = Transaction::new("test")
        .op(Op::Create(lamp))
        .op(Op::Create(safe));
    store.commit(transaction, Timestamp::now()).unwrap();
    cosi::wire::Server::new(store, Arc::new(registry), RemoteAccess).into_service()
}

/// A serving node.
pub(crate) struct Served {
    pub(crate) node: Arc<FakeNode>,
    pub(crate) records: Records,
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: watch::Sender<Arc<Endpoint>>,
    pub(crate) pairing: watch::Receiver<PairingString>,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves `endpoint`; maintenance when there is none.
pub(crate) fn serve(endpoint: Option<Endpoint>) -> Served {
    serve_within(endpoint, Limits::default())
}

pub(crate) fn serve_within(endpoint: Option<Endpoint>, limits: Limits) -> Served {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let desk = Desk::new(Store::new(1), FirstCome::default());
    serve_all(endpoint, limits, listener, desk)
}

/// Serves `endpoint` at an address, with a control plane that issues what the config in `store` has.
pub(crate) fn serve_desk(
    endpoint: Endpoint,
    store: Store,
    names: FirstCome,
    address: SocketAddr,
) -> Served {
    let listener = TcpListener::bind(address).unwrap();
    let desk = Desk::new(store, names);
    serve_all(Some(endpoint), Limits::default(), listener, desk)
}

fn serve_all(
    endpoint: Option<Endpoint>,
    limits: Limits,
    listener: TcpListener,
    desk: Desk<FirstCome>,
) -> Served {
    let own = pki::maintenance_identity().unwrap();
    let pairing = Arc::new(Pairing::new(&own, PairingSecret::random().unwrap()));
    let waiting = || Endpoint::maintenance(&own, None).unwrap();
    let endpoint = watch::Sender::new(Arc::new(endpoint.unwrap_or_else(waiting)));
    let (node, records) = (Arc::new(FakeNode::default()), Records::default());
    let address = listener.local_addr().unwrap();
    let shown = pairing.shown();
    let tunnel = super::tunnel::to_itself(address);
    let server = Server::new(Arc::clone(&node), pairing, endpoint.subscribe())
        .mount(state(), cosi::wire::proto::FILE_DESCRIPTOR_SET)
        .mount(Inspect.into_service(), ::api::FILE_DESCRIPTOR_SET)
        .mount(FakeEtcd.into_service(), ::api::FILE_DESCRIPTOR_SET)
        .mount(desk.into_service(), ::api::FILE_DESCRIPTOR_SET)
        .mount(tunnel.into_service(), ::api::FILE_DESCRIPTOR_SET)
        .mount(FakeUpgrade.into_service(), ::api::FILE_DESCRIPTOR_SET)
        .sink((records.clone(), node.calls.clone()))
        .limits(limits);
    let server = tokio::spawn(async move {
        server.serve(listener, pending()).await.unwrap();
    });
    Served {
        node,
        records,
        address,
        endpoint,
        pairing: shown,
        server,
    }
}

/// A channel over TLS of `config` to `address`.
pub(crate) async fn dial(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> Result<Channel, tonic::transport::Error> {
    dial_through(address, config, |stream| stream).await
}

/// The same, with the encrypted stream in something of the caller's.
pub(crate) async fn dial_through<S>(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    through: impl Fn(TlsStream<TcpStream>) -> S + Clone + Send + 'static,
) -> Result<Channel, tonic::transport::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connector = service_fn(move |_| {
        let connector = TlsConnector::from(Arc::clone(&config));
        let through = through.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = tls::server_name("127.0.0.1").map_err(std::io::Error::other)?;
            let stream = connector.connect(name, stream).await?;
            Ok::<_, std::io::Error>(TokioIo::new(through(stream)))
        }
    });
    let endpoint = tonic::transport::Endpoint::from_static("https://node.invalid");
    let connecting = endpoint.connect_with_connector(connector);
    timeout(DEADLINE, connecting)
        .await
        .expect("a connection or a refusal in time")
}
