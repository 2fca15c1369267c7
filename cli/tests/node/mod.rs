//! A node of a few lines: it serves mutual TLS, keeps a config and numbers its generations.

mod etcd;
mod tunnel;
mod upgrade;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};

use api::v1alpha1 as v1;
use api::v1alpha1::etcd_service_server::EtcdServiceServer;
use api::v1alpha1::machine_service_server::{MachineService, MachineServiceServer};
use api::v1alpha1::tunnel_service_server::TunnelServiceServer;
use api::v1alpha1::upgrade_service_server::UpgradeServiceServer;
use cosi::wire::Open;
use futures_util::stream::{BoxStream, unfold};
use jiff::Timestamp;
use pki::{Authority, Names, SERVING_LIFETIME, Trust};
use resources::runtime::{Departure, LAST, ServiceStatus};
use store::{Registry, Resource, Spec, Store, Transaction};
use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// What a node keeps.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) generation: u64,
    /// How many configs were sent, those to be tried included.
    pub(crate) sent: usize,
    /// How the last one is to take effect, and for how many seconds it is tried.
    pub(crate) mode: (v1::ApplyMode, u32),
    /// Somebody else applies a config after each time one is fetched.
    pub(crate) restless: bool,
    /// What becomes of a service when something is ordered, one after the other.
    pub(crate) becomes: Vec<ServiceStatus>,
    /// How far it is with its end when that is ordered, one after the other.
    pub(crate) departs: Vec<Departure>,
    /// What an end that was ordered says of pods.
    pub(crate) drain: Option<v1::Drain>,
    /// Whom it leads to.
    pub(crate) members: BTreeMap<String, SocketAddr>,
    /// What its etcd sends for a snapshot.
    pub(crate) snapshot: Vec<u8>,
    /// The objects of its cluster.
    pub(crate) workloads: Vec<v1::Workload>,
    /// Who is told what happens to it, beginning with its name.
    pub(crate) events: Option<Sender<String>>,
    /// Where in a snapshot that is sent or taken it stands still for ever.
    pub(crate) stands: Stands,
    /// Told when it stands still.
    pub(crate) standing: Option<Sender<()>>,
    /// What its etcd refuses to name members with, and to remove one.
    pub(crate) refuses: Option<Status>,
    /// How many members it was to remove.
    pub(crate) removals: usize,
}

/// Where something stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stands {
    /// Nowhere.
    #[default]
    Never,
    /// Before it takes anything, and after the first part that it sends.
    Early,
    /// After all that it takes.
    Late,
}

/// A node in this process.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    kept: Arc<Mutex<Kept>>,
    store: Store,
}

impl Node {
    /// Serves a config, as the node of its `Hostname`; the address.
    pub(crate) fn serve(text: &str) -> (Self, SocketAddr) {
        let documents = config::parse("node", text.as_bytes()).expect("a config");
        let name = documents.hostname().expect("a name").hostname.to_string();
        let trust = documents.api_trust().expect("whom to trust");
        let issuer = trust.issuer.as_ref().expect("an issuer");
        let authority = Authority::from_pem(issuer.certificate.as_pem(), issuer.key.as_pem());
        let mut names = Names::loopback();
        names.names.insert(name.clone());
        let own = authority.expect("an authority").issue_serving(
            &name,
            &names,
            SERVING_LIFETIME,
            Timestamp::now(),
        );
        let clients = Trust::from_pem(trust.ca.as_pem()).expect("an authority");
        let tls = pki::tls::server(&own.expect("a certificate"), &clients).expect("settings");
        let node = Self {
            kept: Arc::new(Mutex::new(Kept {
                name,
                text: text.to_owned(),
                generation: 1,
                ..Kept::default()
            })),
            store: Store::new(1),
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = MachineServiceServer::new(node.clone());
        let tunnel = TunnelServiceServer::new(node.clone());
        let etcd = EtcdServiceServer::new(node.clone());
        let upgrade = UpgradeServiceServer::new(node.clone());
        let state = cosi::wire::Server::new(node.store.clone(), registry(), Open).into_service();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                listener.set_nonblocking(true).expect("not blocking");
                let listener = TcpListener::from_std(listener).expect("a listener");
                let callers = unfold(
                    (listener, TlsAcceptor::from(tls)),
                    |(listener, tls)| async {
                        let caller = accept(&listener, &tls).await;
                        Some((Ok::<_, std::io::Error>(caller), (listener, tls)))
                    },
                );
                let server = Server::builder()
                    .add_service(service)
                    .add_service(etcd)
                    .add_service(tunnel)
                    .add_service(upgrade)
                    .add_service(state);
                server.serve_with_incoming(callers).await.expect("served");
            });
        });
        (node, address)
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nobody panicked")
    }

    /// Stands still here, if that is what the test says.
    async fn stand(&self, here: Stands) {
        let standing = {
            let kept = self.kept();
            kept.standing.clone().filter(|_| kept.stands == here)
        };
        if let Some(standing) = standing {
            standing.send(()).expect("the test waits for it");
            std::future::pending::<()>().await;
        }
    }

    /// Tells whoever wants to know what happens to it.
    fn happens(&self, what: &str) {
        let kept = self.kept();
        if let Some(events) = &kept.events {
            events.send(format!("{} {what}", kept.name)).expect("heard");
        }
    }

    /// Tells how something is doing.
    pub(crate) fn tell<S: Spec>(&self, id: &str, status: S) {
        let status = Resource::in_default(id, status);
        let told = Transaction::owned("test").put(status);
        self.store.commit(told, Timestamp::now()).expect("told");
    }

    /// Is on its way to its end.
    fn departs(&self, drain: Option<v1::Drain>) {
        let departs = {
            let mut kept = self.kept();
            kept.drain = drain;
            kept.departs.clone()
        };
        for departure in departs {
            self.tell(LAST, departure);
        }
    }
}

fn registry() -> Arc<Registry> {
    let mut registry = Registry::new();
    resources::register_all(&mut registry).expect("new");
    Arc::new(registry)
}

/// The next caller that proves itself.
async fn accept(listener: &TcpListener, tls: &TlsAcceptor) -> DuplexStream {
    loop {
        let (stream, _) = listener.accept().await.expect("a caller");
        if let Ok(mut stream) = tls.accept(stream).await {
            let (mut here, there) = duplex(1 << 16);
            tokio::spawn(async move {
                // However it ends: the caller hung up.
                drop(copy_bidirectional(&mut stream, &mut here).await);
            });
            return there;
        }
    }
}

type Stream<T> = BoxStream<'static, Result<T, Status>>;

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not here"))
}

#[tonic::async_trait]
impl MachineService for Node {
    type LogsStream = Stream<v1::LogsResponse>;
    type DmesgStream = Stream<v1::DmesgResponse>;
    type EventsStream = Stream<v1::EventsResponse>;

    async fn version(
        &self,
        _: Request<v1::VersionRequest>,
    ) -> Result<Response<v1::VersionResponse>, Status> {
        not_here()
    }

    async fn reboot(
        &self,
        request: Request<v1::RebootRequest>,
    ) -> Result<Response<v1::RebootResponse>, Status> {
        self.departs(request.into_inner().drain);
        Ok(Response::new(v1::RebootResponse {}))
    }

    async fn shutdown(
        &self,
        request: Request<v1::ShutdownRequest>,
    ) -> Result<Response<v1::ShutdownResponse>, Status> {
        self.departs(request.into_inner().drain);
        Ok(Response::new(v1::ShutdownResponse {}))
    }

    async fn order_service(
        &self,
        request: Request<v1::OrderServiceRequest>,
    ) -> Result<Response<v1::OrderServiceResponse>, Status> {
        let service = request.into_inner().service;
        let mut becomes = self.kept().becomes.clone().into_iter();
        if let Some(first) = becomes.next() {
            self.tell(&service, first);
        }
        let node = self.clone();
        // After the answer, as on a node.
        tokio::spawn(async move { becomes.for_each(|status| node.tell(&service, status)) });
        Ok(Response::new(v1::OrderServiceResponse {}))
    }

    async fn confirm_config(
        &self,
        _: Request<v1::ConfirmConfigRequest>,
    ) -> Result<Response<v1::ConfirmConfigResponse>, Status> {
        let generation = self.kept().generation;
        Ok(Response::new(v1::ConfirmConfigResponse { generation }))
    }

    async fn rollback_config(
        &self,
        request: Request<v1::RollbackConfigRequest>,
    ) -> Result<Response<v1::RollbackConfigResponse>, Status> {
        let generation = self.kept().generation;
        Ok(Response::new(v1::RollbackConfigResponse {
            generation,
            done: format!("{:?}", request.get_ref().generation),
            changes: vec!["change Hostname".to_owned()],
            ..v1::RollbackConfigResponse::default()
        }))
    }

    async fn config_history(
        &self,
        _: Request<v1::ConfigHistoryRequest>,
    ) -> Result<Response<v1::ConfigHistoryResponse>, Status> {
        let generation = v1::ConfigGeneration {
            generation: self.kept().generation,
            hash: "0123456789abcdef".to_owned(),
            state: "trying".to_owned(),
            seconds_left: 42,
            ..v1::ConfigGeneration::default()
        };
        let generations = vec![generation];
        Ok(Response::new(v1::ConfigHistoryResponse { generations }))
    }

    async fn diff_config(
        &self,
        request: Request<v1::DiffConfigRequest>,
    ) -> Result<Response<v1::DiffConfigResponse>, Status> {
        let from = request.get_ref().from.unwrap_or(1);
        let diff = if from == 1 { "-a: b\n+a: c\n" } else { "" };
        Ok(Response::new(v1::DiffConfigResponse {
            from,
            to: 2,
            diff: diff.to_owned(),
        }))
    }

    async fn apply_config(
        &self,
        request: Request<v1::ApplyConfigRequest>,
    ) -> Result<Response<v1::ApplyConfigResponse>, Status> {
        let request = request.into_inner();
        let mut kept = self.kept();
        kept.sent += 1;
        kept.mode = (request.mode(), request.try_seconds);
        if request
            .expected_generation
            .is_some_and(|it| it != kept.generation)
        {
            return Err(Status::aborted("the config was changed in the meantime"));
        }
        let text = String::from_utf8(request.documents).expect("text");
        if text.contains("taken") {
            return Err(Status::invalid_argument("that name is taken"));
        }
        if !request.dry_run {
            let documents = config::parse("node", text.as_bytes()).ok();
            let version = documents.and_then(|it| Some(it.kubernetes()?.version));
            if let (Some(version), Some(events)) = (version, &kept.events) {
                let event = format!("{} applies {version}", kept.name);
                events.send(event).expect("heard");
            }
            kept.text = text;
            kept.generation += 1;
        }
        Ok(Response::new(v1::ApplyConfigResponse {
            generation: kept.generation,
            changes: vec!["change Hostname".to_owned()],
            warnings: Vec::new(),
        }))
    }

    async fn validate_config(
        &self,
        _: Request<v1::ValidateConfigRequest>,
    ) -> Result<Response<v1::ValidateConfigResponse>, Status> {
        not_here()
    }

    async fn get_config(
        &self,
        request: Request<v1::GetConfigRequest>,
    ) -> Result<Response<v1::GetConfigResponse>, Status> {
        assert!(
            request.get_ref().reveal_secrets,
            "a config is changed whole"
        );
        let mut kept = self.kept();
        let answer = v1::GetConfigResponse {
            documents: kept.text.clone().into_bytes(),
            generation: kept.generation,
        };
        kept.generation += u64::from(kept.restless);
        Ok(Response::new(answer))
    }

    async fn logs(
        &self,
        _: Request<v1::LogsRequest>,
    ) -> Result<Response<Self::LogsStream>, Status> {
        not_here()
    }

    async fn dmesg(
        &self,
        _: Request<v1::DmesgRequest>,
    ) -> Result<Response<Self::DmesgStream>, Status> {
        not_here()
    }

    async fn events(
        &self,
        _: Request<v1::EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        not_here()
    }
}
