//! Two kinds, a state in "another process" that can be stopped and started, and one face for both runtimes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosi::wire::{Client, Open, Server};
use cosi::{Controller, RegisterError, RemoteRuntime, Rest, Runtime, Trigger};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Registry, Resource, Spec, Store, Transaction};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tonic::transport::{Channel, Endpoint};

/// A number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Numbers.test.garboard", namespace = "in")]
pub struct Number {
    /// It.
    #[field(1)]
    pub value: i64,
}

/// A text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Texts.test.garboard", namespace = "out")]
pub struct Text {
    /// It.
    #[field(1)]
    pub text: String,
}

/// The time of every test.
pub const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub fn registry() -> Arc<Registry> {
    let mut registry = Registry::new();
    registry.register::<Number>().unwrap();
    registry.register::<Text>().unwrap();
    registry.register::<cosi::status::RuntimeStatus>().unwrap();
    registry
        .register::<cosi::status::ControllerStatus>()
        .unwrap();
    Arc::new(registry)
}

/// Where connections are made, and what carries those that are there.
#[derive(Default)]
struct Exchange {
    accept: Option<mpsc::UnboundedSender<DuplexStream>>,
    wires: Vec<AbortHandle>,
}

type Line = Arc<Mutex<Exchange>>;

/// The state of a process that can die and come back with another store.
pub struct Upstream {
    pub store: Store,
    line: Line,
    server: Option<AbortHandle>,
}

impl Upstream {
    pub fn start(epoch: u64) -> Self {
        let mut upstream = Self {
            store: Store::new(epoch),
            line: Arc::default(),
            server: None,
        };
        upstream.serve();
        upstream
    }

    fn serve(&mut self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.line.lock().unwrap().accept = Some(sender);
        let service = Server::new(self.store.clone(), registry(), Open)
            .with_clock(NOW)
            .into_service();
        let incoming = tokio_stream::StreamExt::map(
            tokio_stream::wrappers::UnboundedReceiverStream::new(receiver),
            Ok::<_, std::io::Error>,
        );
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming);
        self.server = Some(tokio::spawn(serving).abort_handle());
    }

    /// Cuts all connections and refuses new ones.
    pub fn stop(&mut self) {
        let mut line = self.line.lock().unwrap();
        line.accept = None;
        line.wires.drain(..).for_each(|wire| wire.abort());
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }

    /// Comes back with an empty state.
    pub fn restart(&mut self, epoch: u64) {
        self.stop();
        self.store = Store::new(epoch);
        self.serve();
    }

    /// Comes back as it was: a connection was lost, not a process.
    pub fn reconnect(&mut self) {
        self.stop();
        self.serve();
    }

    pub fn channel(&self) -> Channel {
        let line = Arc::clone(&self.line);
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(tower::service_fn(
            move |_| {
                let connected = connect(&mut line.lock().unwrap());
                async move { connected.map(TokioIo::new) }
            },
        ))
    }

    pub fn client(&self) -> Client {
        Client::new(self.channel(), registry())
    }
}

/// A connection over a wire that can be cut.
fn connect(line: &mut Exchange) -> std::io::Result<DuplexStream> {
    let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let (ours, mut near) = tokio::io::duplex(1 << 16);
    let (mut far, theirs) = tokio::io::duplex(1 << 16);
    let accept = line.accept.as_ref().ok_or_else(refused)?;
    accept.send(theirs).map_err(|_| refused())?;
    let wire = tokio::spawn(async move {
        tokio::io::copy_bidirectional(&mut near, &mut far)
            .await
            .ok();
    });
    line.wires.push(wire.abort_handle());
    Ok(ours)
}

/// Where a runtime under test runs.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Local,
    Remote,
}

/// Both runtimes, with one face.
pub enum Engine {
    Local(Runtime),
    Remote(RemoteRuntime),
}

impl Engine {
    pub fn new(place: Place, upstream: &Upstream) -> Self {
        match place {
            Place::Local => {
                Self::Local(Runtime::new("engine", upstream.store.clone()).with_clock(NOW))
            }
            Place::Remote => Self::Remote(
                RemoteRuntime::new("engine", "upstream", upstream.client()).with_clock(NOW),
            ),
        }
    }

    pub fn register<C: Controller>(&mut self, controller: C) -> Result<Trigger, RegisterError> {
        match self {
            Self::Local(runtime) => runtime.register(controller),
            Self::Remote(runtime) => runtime.register(controller),
        }
    }

    pub fn rest(&self) -> Rest {
        match self {
            Self::Local(runtime) => runtime.rest(),
            Self::Remote(runtime) => runtime.rest(),
        }
    }

    pub fn spawn(self) -> Running {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stop = async {
                stopped.await.ok();
            };
            match self {
                Self::Local(runtime) => runtime.run(stop).await,
                Self::Remote(runtime) => runtime.run(stop).await,
            }
        });
        Running { task, stop }
    }
}

/// A runtime that runs until it is told to stop.
pub struct Running {
    task: JoinHandle<cosi::Stopped>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Running {
    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        assert_eq!(self.task.await.unwrap(), cosi::Stopped);
    }
}

/// Puts an unowned number.
pub fn number(store: &Store, id: &str, value: i64) {
    let put = Transaction::new("test").put(Resource::in_default(id, Number { value }));
    store.commit(put, NOW).unwrap();
}

/// Destroys a number.
pub fn no_number(store: &Store, id: &str) {
    let reference = store::Reference::new("in", Number::DEFINITION.ty, id);
    store
        .commit(Transaction::new("test").destroy(reference), NOW)
        .unwrap();
}

/// The texts in `out`, as `id=text`.
pub fn texts(store: &Store) -> Vec<String> {
    store
        .snapshot()
        .list_as::<Text>("out")
        .map(|text| format!("{}={}", text.id(), text.spec.text))
        .collect()
}

/// Says that the runtime on the other side has come to rest.
pub fn say_settled(store: &Store, settled: bool) {
    let status = cosi::status::RuntimeStatus {
        epoch: store.epoch(),
        settled,
    };
    let put = Transaction::owned("upstream").put(Resource::in_default("upstream", status));
    store.commit(put, NOW).unwrap();
}

/// Waits until the condition holds, looking again after every commit.
pub async fn eventually(store: &Store, what: &str, condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(600), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    if waited.await.is_err() {
        panic!("never: {what}; texts are {:?}", texts(store));
    }
}
