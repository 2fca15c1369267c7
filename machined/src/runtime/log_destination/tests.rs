//! Destinations that come, go, never read, and are nowhere.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cosi::Runtime;
use jiff::Timestamp;
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::{LogDestinationSpec, LogDestinationState, LogDestinationStatus};
use serde_json::Value;
use store::{Resource, Spec, Store, Transaction};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::apply::{Apply, Places};
use super::task::Pace;
use crate::network::lookup::Lookup;

/// A node with logs.
struct Node {
    folder: TempDir,
    store: Store,
    /// How much may wait.
    most: usize,
}

impl Node {
    fn new() -> Self {
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
            store: Store::new(1),
            most: super::queue::MOST,
        };
        fs::create_dir(node.folder.path().join("logs")).unwrap();
        let hostname = HostnameSpec {
            hostname: "node-1".to_owned(),
            ..HostnameSpec::default()
        };
        node.put(Resource::in_default(HOSTNAME, hostname));
        node
    }

    fn put(&self, resource: Resource) {
        let transaction = Transaction::owned("test").put(resource);
        self.store.commit(transaction, Timestamp::now()).unwrap();
    }

    fn want(&self, url: String) {
        let spec = LogDestinationSpec {
            url,
            kernel: false,
            services: true,
            tags: vec!["rack=r12".to_owned()],
        };
        self.put(Resource::in_default("a", spec));
    }

    fn say(&self, service: &str, text: &str) {
        let path = self.folder.path().join(format!("logs/{service}.log"));
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn status(&self) -> LogDestinationStatus {
        let namespace = LogDestinationStatus::DEFINITION.namespace;
        let found = self
            .store
            .snapshot()
            .get_as::<LogDestinationStatus>(namespace, "a");
        found.map(|it| (*it.spec).clone()).unwrap_or_default()
    }

    async fn until(&self, what: &str, is: impl Fn(&LogDestinationStatus) -> bool) {
        testkit::until(what, || is(&self.status()).then_some(())).await;
    }

    /// A life of the daemon, as long as the test goes on. No name leads anywhere.
    async fn live(&self, test: impl Future<Output = ()>) {
        let pace = Pace {
            first: Duration::from_millis(20),
            last: Duration::from_millis(50),
            stuck: Duration::from_secs(600),
        };
        // Whatever is left of a life holds one of these.
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let lookup = Lookup::new(move |_| {
            let held = Arc::clone(&held);
            Box::pin(async move {
                drop(held);
                Err("nobody knows".to_owned())
            })
        });
        let places = Places::in_folder(self.folder.path());
        let mut runtime = Runtime::new("machined", self.store.clone());
        runtime
            .register(Apply::with(places, lookup, pace, self.most))
            .unwrap();
        tokio::select! {
            _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
            () = test => {}
        }
        testkit::until("the end of a life", || {
            (Arc::strong_count(&alive) == 1).then_some(())
        })
        .await;
    }
}

/// A socket that takes a port and answers nobody. Others of ours may take it too; nobody else gets it in between.
fn silent(place: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(place).unwrap();
    socket
}

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn accept(listener: &TcpListener) -> Lines<BufReader<TcpStream>> {
    BufReader::new(listener.accept().await.unwrap().0).lines()
}

/// The next line.
async fn heard(from: &mut Lines<BufReader<TcpStream>>) -> Value {
    let line = from
        .next_line()
        .await
        .unwrap()
        .expect("the connection lasts");
    serde_json::from_str(&line).unwrap()
}

async fn messages(from: &mut Lines<BufReader<TcpStream>>, count: usize) -> Vec<String> {
    let mut messages = Vec::new();
    for _ in 0..count {
        messages.push(heard(from).await["message"].as_str().unwrap().to_owned());
    }
    messages
}

#[tokio::test]
async fn lines_go_out_as_objects_and_a_server_that_returns_gets_what_came_meanwhile() {
    let node = Node::new();
    node.say("containerd", "one\n");
    let listener = silent(anywhere()).listen(1).unwrap();
    let place = listener.local_addr().unwrap();
    let next = silent(place);
    node.want(format!("tcp://{place}"));
    node.live(async {
        let mut server = accept(&listener).await;
        let line = heard(&mut server).await;
        assert_eq!(line["message"], "one");
        assert_eq!(line["node"], "node-1");
        assert_eq!(line["source"], "containerd");
        assert_eq!(line["rack"], "r12");
        assert!(line["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
        // A service that begins later is heard, and half a line is not.
        node.say("kubelet", "2026-11-21T19:00:00Z ERROR kubelet: tw");
        node.say("kubelet", "o\nthr");
        let line = heard(&mut server).await;
        assert_eq!(
            (&line["level"], &line["message"]),
            (&"error".into(), &"kubelet: two".into())
        );
        node.until("two lines sent", |it| it.sent == 2).await;
        assert_eq!(node.status().state, LogDestinationState::Connected);

        drop((server, listener));
        node.until("a failure", |it| it.state == LogDestinationState::Failed)
            .await;
        assert!(!node.status().error.is_empty());
        node.say("kubelet", "ee\nfour\n");
        let listener = next.listen(1).unwrap();
        let mut server = accept(&listener).await;
        assert_eq!(messages(&mut server, 2).await, ["three", "four"]);
        node.until("four lines sent", |it| it.sent == 4 && it.error.is_empty())
            .await;
        assert_eq!(node.status().lost, 0);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_twice_after_a_restart_or_a_change_of_tags() {
    let node = Node::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    node.want(url.clone());
    node.say("a", "one\n");
    node.live(async {
        let mut server = accept(&listener).await;
        assert_eq!(messages(&mut server, 1).await, ["one"]);
    })
    .await;
    node.say("a", "two\n");
    node.live(async {
        let mut server = accept(&listener).await;
        assert_eq!(messages(&mut server, 1).await, ["two"]);
        let spec = LogDestinationSpec {
            url,
            services: true,
            ..LogDestinationSpec::default()
        };
        node.put(Resource::in_default("a", spec));
        let mut server = accept(&listener).await;
        node.say("a", "three\n");
        let line = heard(&mut server).await;
        assert_eq!(
            (&line["message"], line.get("rack")),
            (&"three".into(), None)
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_that_never_reads_loses_the_oldest_lines_and_is_told_how_many() {
    const LINES: u64 = 8000;
    let mut node = Node::new();
    node.most = 64 * 1024;
    let socket = silent(anywhere());
    socket.set_recv_buffer_size(512 * 1024).unwrap();
    let listener = socket.listen(1).unwrap();
    node.want(format!("tcp://{}", listener.local_addr().unwrap()));
    node.live(async {
        let server = listener.accept().await.unwrap().0;
        // 16 MB, far more than two sockets hold. Whoever writes never waits; the reader keeps up as it is not held up either.
        for first in (0..LINES).step_by(100) {
            let lines = (first..first + 100).map(|it| format!("line {it} {}\n", "x".repeat(2000)));
            node.say("loud", &lines.collect::<String>());
            tokio::task::yield_now().await;
        }
        node.until("lost lines", |it| it.lost > 0).await;
        assert_eq!(node.status().state, LogDestinationState::Connected);

        // It begins to read. What it is told adds up.
        let mut server = BufReader::new(server).lines();
        let (mut seen, mut lost, mut last) = (BTreeSet::new(), 0, None);
        while last != Some(LINES - 1) {
            let line = heard(&mut server).await;
            if let Some(some) = line["lost"].as_u64() {
                lost += some;
                continue;
            }
            let message = line["message"].as_str().unwrap();
            let number: u64 = message.split(' ').nth(1).unwrap().parse().unwrap();
            assert!(last < Some(number), "in order");
            assert!(seen.insert(number), "once");
            last = Some(number);
        }
        assert!(lost > 0);
        assert_eq!(seen.len() as u64 + lost, LINES);
    })
    .await;
}

#[tokio::test]
async fn what_is_lost_while_nobody_listens_is_the_first_that_is_said() {
    let mut node = Node::new();
    node.most = 1000;
    let socket = silent(anywhere());
    let place = socket.local_addr().unwrap();
    let lines: String = (0..100).map(|it| format!("line {it}\n")).collect();
    node.say("a", &lines);
    node.want(format!("tcp://{place}"));
    node.live(async {
        node.until("lost lines", |it| {
            it.lost > 0 && it.state == LogDestinationState::Failed
        })
        .await;
    })
    .await;
    // Nor does a restart forget it.
    let lost = node.status().lost;
    let listener = socket.listen(1).unwrap();
    node.live(async {
        let mut server = accept(&listener).await;
        let line = heard(&mut server).await;
        assert_eq!(
            (&line["lost"], &line["source"]),
            (&lost.into(), &"machined".into())
        );
        let left = usize::try_from(100 - lost).unwrap();
        let expected: Vec<_> = (lost..100).map(|it| format!("line {it}")).collect();
        assert_eq!(messages(&mut server, left).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_said_and_a_removed_document_is_forgotten() {
    let node = Node::new();
    node.want("tcp://logs.example.org:5170".to_owned());
    node.live(async {
        let error = "connecting: nobody knows";
        node.until("a failure", |it| it.error == error).await;
        let gone = Resource::in_default("a", LogDestinationSpec::default()).reference();
        let remove = Transaction::owned("test").destroy(gone);
        node.store.commit(remove, Timestamp::now()).unwrap();
        node.until("nothing", |it| it.since.is_none()).await;
        let kept = node.folder.path().join("log-destinations/a.json");
        assert!(!kept.exists());
    })
    .await;
}

#[tokio::test]
async fn a_packet_of_udp_is_a_line() {
    let node = Node::new();
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    node.want(format!("udp://{}", server.local_addr().unwrap()));
    // As long as a line gets, and worse: every byte of it is escaped.
    node.say("a", &format!("one\n{}\n", "\u{1}".repeat(9000)));
    node.live(async {
        let mut packet = vec![0; 65536];
        let mut next = async || -> Value {
            let length = server.recv(&mut packet).await.unwrap();
            assert_eq!(packet.get(length - 1), Some(&b'\n'));
            serde_json::from_slice(&packet[..length]).unwrap()
        };
        assert_eq!(next().await["message"], "one");
        let lengths = [next().await, next().await].map(|it| it["message"].as_str().unwrap().len());
        assert_eq!(lengths, [8192, 808]);
    })
    .await;
}
