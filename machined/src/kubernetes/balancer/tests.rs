//! Clients and API servers around a balancer, on loopback.

use std::net::SocketAddr;
use std::path::Path;

use cosi::Runtime;
use jiff::Timestamp;
use pki::{Authority, Names, SERVING_LIFETIME, Trust};
use resources::kubernetes::{KUBERNETES, KubernetesSpec, NodeStatus};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::Condition;
use store::{Resource, Store, Transaction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::backends::Target;
use super::health::State;
use super::*;
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::control_plane;
use crate::kubernetes::static_pod::API_PORT;

/// An address at which nobody listens, as long as the socket is kept.
fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn somebody() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Says its name and then what it hears.
async fn parrot(listener: TcpListener, name: &str) {
    let mut open = tokio::task::JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let name = name.to_owned();
        open.spawn(async move {
            // Whoever only looks whether we are there does not wait.
            stream.write_all(name.as_bytes()).await.unwrap_or_default();
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to)
                .await
                .unwrap_or_default();
        });
    }
}

fn backend(address: SocketAddr) -> Backend {
    Backend {
        target: address.into(),
        node: address.to_string(),
    }
}

struct Around {
    backends: watch::Sender<Vec<Backend>>,
    health: watch::Receiver<Health>,
    listener: std::net::TcpListener,
    address: SocketAddr,
    balancer: Balancer,
}

fn around(backends: &[SocketAddr], kubelet: &Path) -> Around {
    let of = backends.iter().copied().map(backend).collect();
    let backends = watch::Sender::new(of);
    let health = watch::Sender::new(Health::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lookup = Lookup::new(|name| Box::pin(async move { Err(format!("no host is {name}")) }));
    Around {
        health: health.subscribe(),
        address: listener.local_addr().unwrap(),
        balancer: Balancer::new(backends.subscribe(), health, lookup, kubelet.to_owned()),
        backends,
        listener,
    }
}

/// Nobody's folder.
fn no_authority() -> &'static Path {
    Path::new("/nowhere")
}

/// Runs a test beside the balancer and other things that do not end.
async fn beside<T>(
    balancer: Balancer,
    listener: std::net::TcpListener,
    others: impl Future<Output = ()>,
    test: impl Future<Output = T>,
) -> T {
    tokio::select! {
        error = balancer.serve(listener) => unreachable!("{error}"),
        () = Box::pin(others) => unreachable!("it has no end"),
        done = test => done,
    }
}

async fn reads(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn bytes_go_to_the_first_that_takes_them_and_the_other_is_tried_last() {
    let (_kept, refuses) = nobody();
    let ((one, first), (two, second)) = (somebody().await, somebody().await);
    let around = around(&[refuses, first, second], no_authority());
    let (mut health, address) = (around.health, around.address);
    let others = async {
        tokio::join!(parrot(one, "one"), parrot(two, "two"));
    };
    beside(around.balancer, around.listener, others, async {
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(reads(&mut client, 3).await, "one");
        client.write_all(b"hello").await.unwrap();
        assert_eq!(reads(&mut client, 5).await, "hello");
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0, "both ends end");
        let refused = Target::from(refuses);
        let known = |it: &Health| matches!(it.of(&refused), Some(State::Unwell { .. }));
        let health = health.wait_for(known).await.unwrap().clone();
        let all = [refuses, first, second].map(backend);
        assert_eq!(health.order(&all).last().unwrap().target, refused);
    })
    .await;
}

#[tokio::test]
async fn connections_end_with_their_place_in_the_list() {
    let ((one, first), (two, second)) = (somebody().await, somebody().await);
    let around = around(&[first, second], no_authority());
    let (backends, address) = (around.backends, around.address);
    let others = async {
        tokio::join!(parrot(one, "one"), parrot(two, "two"));
    };
    beside(around.balancer, around.listener, others, async {
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(reads(&mut client, 3).await, "one");
        backends.send_replace(vec![backend(second)]);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap_or(0), 0);
        let mut again = TcpStream::connect(address).await.unwrap();
        assert_eq!(reads(&mut again, 3).await, "two");
        // Without anywhere to go a client is told so at once.
        backends.send_replace(Vec::new());
        assert_eq!(again.read(&mut [0; 8]).await.unwrap_or(0), 0);
        let mut none = TcpStream::connect(address).await.unwrap();
        assert_eq!(none.read(&mut [0; 8]).await.unwrap_or(0), 0);
    })
    .await;
}

#[tokio::test]
async fn one_too_many_waits_for_a_place() {
    let (one, first) = somebody().await;
    let around = around(&[first], no_authority());
    let address = around.address;
    let balancer = around.balancer.at_most(1);
    beside(balancer, around.listener, parrot(one, "one"), async {
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(reads(&mut client, 3).await, "one");
        let mut waits = TcpStream::connect(address).await.unwrap();
        let mut byte = [0; 1];
        tokio::select! {
            biased;
            read = waits.read(&mut byte) => panic!("it was served beside another: {read:?}"),
            () = async {
                // The first one is still served, many times over.
                for _ in 0..100 {
                    client.write_all(b"hello").await.unwrap();
                    assert_eq!(reads(&mut client, 5).await, "hello");
                }
            } => {}
        }
        drop(client);
        assert_eq!(reads(&mut waits, 3).await, "one");
    })
    .await;
}

/// What one says that it is.
const VERSION: &str = "HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n{\"gitVersion\": \"v1.37.1\"}";

/// Answers whatever it is asked with this, once for each connection.
async fn answers(listener: TcpListener, acceptor: TlsAcceptor, answer: &'static str) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else {
            continue;
        };
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => asked.push(byte),
                Err(_) => break,
            }
        }
        let version = asked.starts_with(b"GET /version HTTP/1.1\r\n");
        assert!(version || asked.starts_with(b"GET /readyz HTTP/1.1\r\n"));
        let answer = if version { VERSION } else { answer };
        stream
            .write_all(answer.as_bytes())
            .await
            .unwrap_or_default();
        stream.shutdown().await.unwrap_or_default();
    }
}

#[tokio::test]
async fn a_server_that_is_not_ready_or_not_of_the_cluster_is_not_well() {
    let now = Timestamp::now();
    let [ours, foreign] = ["ours", "foreign"].map(|it| Authority::generate(it, now).unwrap());
    let acceptor = |authority: &Authority| {
        let own = authority
            .issue_serving("kube-apiserver", &Names::loopback(), SERVING_LIFETIME, now)
            .unwrap();
        let config = pki::tls::maintenance_server(&own).unwrap();
        let mut config = rustls::ServerConfig::clone(&config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(std::sync::Arc::new(config))
    };
    let folder = tempfile::tempdir().unwrap();
    let text = ours.identity().certificate_pem();
    Trust::from_pem(text).unwrap();
    std::fs::write(folder.path().join("ca.crt"), text).unwrap();
    let hour = jiff::SignedDuration::from_hours(1);
    let own = ours
        .issue_client("node", pki::Roles::default(), hour, now)
        .unwrap();
    let both = format!("{}{}", own.certificate_pem(), own.key_pem().expose());
    std::fs::write(folder.path().join("client.pem"), both).unwrap();
    let (ready, unready, other) = (somebody().await, somebody().await, somebody().await);
    let all = [unready.1, other.1, ready.1];
    let around = around(&all, folder.path());
    let mut health = around.health;
    const READY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const NOT: &str =
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 16\r\n\r\n[-]etcd failed:\n";
    let others = async {
        tokio::join!(
            Box::pin(answers(ready.0, acceptor(&ours), READY)),
            Box::pin(answers(unready.0, acceptor(&ours), NOT)),
            Box::pin(answers(other.0, acceptor(&foreign), READY)),
        );
    };
    beside(around.balancer, around.listener, others, async {
        let of = |health: &Health, it| health.of(&Target::from(it)).cloned();
        let release = |health: &Health, it| health.release(&Target::from(it));
        let known = |health: &Health| {
            all.iter().all(|it| of(health, *it).is_some()) && release(health, ready.1).is_some()
        };
        let health = health.wait_for(known).await.unwrap().clone();
        assert_eq!(release(&health, ready.1), Some("1.37.1".parse().unwrap()));
        assert_eq!(release(&health, unready.1), None);
        assert_eq!(of(&health, ready.1), Some(State::Well));
        let Some(State::Unwell { reason, .. }) = of(&health, unready.1) else {
            panic!("it has said that it is not ready");
        };
        assert_eq!(reason, "it is not ready: etcd");
        assert!(matches!(of(&health, other.1), Some(State::Unwell { .. })));
    })
    .await;
}

/// A worker whose endpoint is one node, which is gone.
fn worker(nodes: &[(&str, NodeStatus)]) -> Store {
    let cluster = KubernetesSpec {
        endpoint: format!("https://127.0.0.9:{API_PORT}"),
        ..KubernetesSpec::default()
    };
    let hostname = HostnameSpec {
        hostname: "worker-1".to_owned(),
        ..HostnameSpec::default()
    };
    let mounted = Condition {
        met: true,
        ..Condition::default()
    };
    let mut transaction = Transaction::owned("test")
        .put(Resource::in_default(KUBERNETES, cluster))
        .put(Resource::in_default(HOSTNAME, hostname))
        .put(Resource::in_default(EPHEMERAL, mounted));
    for (name, status) in nodes {
        transaction = transaction.put(Resource::in_default(*name, status.clone()));
    }
    let store = Store::new(1);
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    store
}

/// What the first client of a node reads that has just started.
async fn starts(store: Store, state: &Path) -> String {
    let nobody = Lookup::new(|name| Box::pin(async move { Err(format!("no host is {name}")) }));
    let (apply, balancer) = parts(nobody, no_authority().to_owned());
    let mut runtime = Runtime::new("machined", store);
    runtime.register(apply).unwrap();
    let status = control_plane::status::Status::new(state);
    runtime.register(status).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let rest = runtime.rest();
    let running = async {
        let _stopped = runtime.run(std::future::pending()).await;
    };
    beside(balancer, listener, running, async {
        rest.reached().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut said = vec![0; 3];
        let read = client.read(&mut said).await.unwrap_or(0);
        said.truncate(read);
        String::from_utf8(said).unwrap()
    })
    .await
}

#[test]
fn a_node_that_starts_again_goes_where_it_went_before() {
    let test = "kubernetes::balancer::tests::a_node_that_starts_again_goes_where_it_went_before";
    // The port of API servers is one for all, so that nobody else may be there.
    testkit::isolated(test, || async {
        let up = ["link", "set", "lo", "up"];
        let done = std::process::Command::new("ip").args(up).status();
        assert!(done.unwrap().success());
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind(("127.0.0.2", API_PORT)).await.unwrap();
        let lives = async {
            assert_eq!(starts(worker(&[]), folder.path()).await, "");
            let plane = NodeStatus {
                control_plane: true,
                addresses: vec!["127.0.0.2".to_owned()],
                ..NodeStatus::default()
            };
            let told = worker(&[("cp-2", plane)]);
            assert_eq!(starts(told, folder.path()).await, "two");
            assert_eq!(starts(worker(&[]), folder.path()).await, "two");
        };
        tokio::select! {
            () = parrot(listener, "two") => unreachable!("it has no end"),
            () = lives => {}
        }
    });
}
