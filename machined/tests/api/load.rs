//! A thousand known callers with a hundred watches each, against the node's own limits. The server is a process of its own,
//! so that what it holds can be told from what its callers hold.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use cosi::wire::proto::{WatchRequest, WatchResponse, state_client::StateClient};
use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use hyper_util::rt::TokioIo;
use machined::api::Limits;
use pki::{Role, tls};
use rustls::ClientConfig;
use store::Spec as _;
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::fixture::{Cluster, DEADLINE, Lamp, serve};

/// The test that is both.
const NAME: &str = "load::a_crowd_of_watchers_is_bounded_and_told_so";

/// Says to this program that it is the server, and where its things are.
const SERVE: &str = "GARBOARD_TEST_SERVE";

const CALLERS: usize = 1000;
const WATCHES: usize = 100;

/// What one connection may have at once.
const OF_ONE: usize = 32;

/// They come from so many addresses: fewer than the limit for one from each.
const SOURCES: usize = 4;

/// Callers that begin at the same time.
const AT_ONCE: usize = 16;

/// What the server may hold in the end, in KiB: half as much again as it does, and a quarter of what all watches would take.
const MOST_MEMORY: u64 = 240 << 10;

/// The server, ended with this.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    async fn start(cluster: &Cluster, folder: &Path) -> Self {
        cluster.write(folder);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([NAME, "--exact"])
            .env(SERVE, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let file = folder.join("address");
        let address = testkit::until("the server's address", || {
            assert_eq!(child.try_wait().unwrap(), None, "the server has ended");
            fs::read_to_string(&file).ok()
        });
        let address = address.await.parse().unwrap();
        Self { child, address }
    }

    /// Its resident memory in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Serves as machined does, on one thread, until nobody holds the other end of its input.
fn be_the_server(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let served = serve(Some(Cluster::read(folder).endpoint()));
        let (new, address) = (folder.join("new"), folder.join("address"));
        fs::write(&new, served.address.to_string()).unwrap();
        fs::rename(new, address).unwrap();
        let orphaned = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
        orphaned.await.unwrap().unwrap();
    });
}

/// A channel from an address of this host's.
async fn dial_from(
    source: usize,
    to: SocketAddr,
    config: Arc<ClientConfig>,
) -> Result<Channel, tonic::transport::Error> {
    let source = Ipv4Addr::new(127, 0, 1, u8::try_from(source).unwrap());
    let connector = tower::service_fn(move |_| {
        let connector = TlsConnector::from(Arc::clone(&config));
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((source, 0)))?;
            let stream = socket.connect(to).await?;
            let name = tls::server_name("127.0.0.1").map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    let endpoint = tonic::transport::Endpoint::from_static("https://node.invalid");
    endpoint.connect_with_connector(connector).await
}

async fn version(channel: &Channel) -> Result<(), Status> {
    let mut machine = MachineServiceClient::new(channel.clone());
    machine.version(v1::VersionRequest {}).await.map(drop)
}

fn lamps() -> WatchRequest {
    WatchRequest {
        namespace: Lamp::DEFINITION.namespace.to_owned(),
        r#type: Lamp::DEFINITION.ty.to_owned(),
        ..Default::default()
    }
}

type Watching = Streaming<WatchResponse>;

/// One caller's watches: what goes on, and how the others were refused. Once a connection has as many as it may, HTTP/2 keeps
/// the others back at the caller, who then gives them up.
async fn watch_all(channel: &Channel) -> (Vec<Watching>, Vec<Status>) {
    let watches = (0..WATCHES).map(|_| {
        let mut state = StateClient::new(channel.clone());
        async move { state.watch(lamps()).await }
    });
    let mut answers: FuturesUnordered<_> = watches.collect();
    let (mut held, mut refused) = (Vec::new(), Vec::new());
    while held.len() < OF_ONE
        && let Some(answer) = answers.next().await
    {
        match answer {
            Ok(answer) => held.push(answer.into_inner()),
            Err(status) => refused.push(status),
        }
    }
    (held, refused)
}

#[test]
fn a_crowd_of_watchers_is_bounded_and_told_so() {
    if let Some(folder) = std::env::var_os(SERVE) {
        return be_the_server(folder.as_ref());
    }
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = Server::start(&cluster, folder.path()).await;
        crowd(&cluster, &server).await;
    });
}

async fn crowd(cluster: &Cluster, server: &Server) {
    let config = cluster.client(Role::Reader);
    let callers = stream::iter(0..CALLERS).map(|number| {
        let config = Arc::clone(&config);
        async move {
            let channel = dial_from(number % SOURCES, server.address, config).await;
            let channel = channel.unwrap();
            // With the answer comes what the node allows.
            version(&channel).await.unwrap();
            channel
        }
    });
    let callers: Vec<_> = callers.buffer_unordered(AT_ONCE).collect().await;
    let answers = stream::iter(&callers).map(watch_all);
    let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;

    let held: usize = answers.iter().map(|(held, _)| held.len()).sum();
    let limit = Limits::default().streams;
    assert_eq!(held, SOURCES * limit.per_source);
    let refused = answers.iter().flat_map(|(_, refused)| refused);
    for status in refused {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let wanted = format!("{} watches and other streams", limit.per_source);
        assert!(status.message().starts_with(&wanted), "{status}");
    }
    let memory = server.memory();
    assert!(memory < MOST_MEMORY, "the server holds {memory} KiB");

    // Whoever was refused is still answered, and so is everybody else, watches included.
    version(callers.last().unwrap()).await.unwrap();
    let other = dial_from(SOURCES, server.address, Arc::clone(&config));
    let other = other.await.unwrap();
    version(&other).await.unwrap();
    let ready = async |channel: &Channel| {
        let mut watch = StateClient::new(channel.clone()).watch(lamps()).await?;
        watch.get_mut().message().await
    };
    ready(&other).await.unwrap().expect("a watch begins");

    // What they leave is free again.
    let (first, mut others) = (&callers[0], answers);
    others.clear();
    let again = async { while ready(first).await.is_err() {} };
    timeout(DEADLINE, again).await.expect("there is room again");
}

#[tokio::test]
async fn one_connection_too_many_is_told_why() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let config = cluster.client(Role::Reader);
    let mut held = Vec::new();
    for _ in 0..Limits::default().proven.per_source {
        let channel = dial_from(0, served.address, Arc::clone(&config));
        let channel = channel.await.unwrap();
        version(&channel).await.unwrap();
        held.push(channel);
    }
    // A call that is made after the connection was ended is only told that it has.
    let told = async {
        let refused = async || {
            let channel = dial_from(0, served.address, Arc::clone(&config)).await?;
            version(&channel).await?;
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        loop {
            let error = refused().await.unwrap_err();
            let chain = std::iter::successors(error.source(), |error| error.source());
            let said = chain.fold(error.to_string(), |said, error| format!("{said}: {error}"));
            if said.contains("there are 256 connections from your address") {
                return;
            }
        }
    };
    timeout(DEADLINE, told).await.expect("it is told why");
    // Others are not in the way, and those who are there stay.
    let other = dial_from(1, served.address, config).await.unwrap();
    version(&other).await.unwrap();
    version(&held[0]).await.unwrap();
}
