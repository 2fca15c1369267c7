//! The end of the server: whoever still listens is told so, in the words of every layer.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use cosi::wire::proto::{self, state_client::StateClient};
use machined::api::{Endpoint, Pairing, ServeError, Server};
use pki::Role;
use store::Spec as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tonic::{Code, Status, Streaming};

use super::fixture::{Cluster, DEADLINE, FakeNode, Lamp, Records, dial, dial_through, state};

/// A server that can be told to end.
struct Ending {
    address: SocketAddr,
    records: Records,
    drain: oneshot::Sender<()>,
    server: JoinHandle<Result<(), ServeError>>,
    _endpoint: watch::Sender<Arc<Endpoint>>,
}

fn serve(cluster: &Cluster) -> Ending {
    let own = pki::maintenance_identity().unwrap();
    let secret = pki::pairing::PairingSecret::random().unwrap();
    let pairing = Arc::new(Pairing::new(&own, secret));
    let endpoint = watch::Sender::new(Arc::new(cluster.endpoint()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, drained) = oneshot::channel::<()>();
    let records = Records::default();
    let server = Server::new(Arc::new(FakeNode::default()), pairing, endpoint.subscribe())
        .mount(state(), proto::FILE_DESCRIPTOR_SET)
        .sink(records.clone());
    let server = tokio::spawn(server.serve(listener, async {
        drained.await.unwrap_or_default();
    }));
    Ending {
        address,
        records,
        drain,
        server,
        _endpoint: endpoint,
    }
}

/// How reading from a connection ended.
type End = Arc<Mutex<Option<io::Result<()>>>>;

/// A connection whose reader notes how it ended: with the word that nothing comes after (close_notify), or cut off.
struct Noted {
    stream: TlsStream<TcpStream>,
    end: End,
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        let ended = read.is_err() || buffer.filled().len() == before;
        if ended {
            let noted = read
                .as_ref()
                .map(|_| ())
                .map_err(|error| error.kind().into());
            *self.end.lock().unwrap() = Some(noted);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Noted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Reads until the stream says how it ended.
async fn last_word<T>(mut stream: Streaming<T>) -> Status {
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended as if all had been said"),
            Err(status) => return status,
        }
    }
}

#[tokio::test]
async fn whoever_listens_is_told_of_the_end() {
    let cluster = Cluster::new();
    let ending = serve(&cluster);
    let end = End::default();
    let note = Arc::clone(&end);
    let channel = dial_through(
        ending.address,
        cluster.client(Role::Reader),
        move |stream| {
            let end = Arc::clone(&note);
            Noted { stream, end }
        },
    );
    let channel = channel.await.unwrap();
    let mut machine = MachineServiceClient::new(channel.clone());

    // One that has something to tell at any moment, one that has not, and one that was not answered yet.
    let follow = v1::EventsRequest {
        follow: true,
        tail: None,
        ..Default::default()
    };
    let busy = machine.events(follow).await.unwrap().into_inner();
    let watch = proto::WatchRequest {
        namespace: Lamp::DEFINITION.namespace.to_owned(),
        r#type: Lamp::DEFINITION.ty.to_owned(),
        ..Default::default()
    };
    let quiet = StateClient::new(channel).watch(watch).await;
    let quiet = quiet.unwrap().into_inner();
    let unanswered = async {
        let request = v1::LogsRequest {
            service: "endless".to_owned(),
            ..Default::default()
        };
        machine.logs(request).await.expect_err("no answer")
    };
    let told = async { tokio::join!(last_word(busy), last_word(quiet), unanswered) };
    ending.drain.send(()).unwrap();
    let (busy, quiet, unanswered) = timeout(DEADLINE, told).await.expect("all end in time");
    for status in [busy, quiet, unanswered] {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert_eq!(status.message(), "the node is shutting down");
    }
    let served = timeout(DEADLINE, ending.server).await;
    served.expect("the server ends in time").unwrap().unwrap();
    let closed = async {
        while end.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, closed)
        .await
        .expect("the connection ends");
    assert!(matches!(*end.lock().unwrap(), Some(Ok(()))), "{end:?}");
    let records = ending.records.0.lock().unwrap();
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|it| it.result == Code::Unavailable));
}

#[tokio::test]
async fn it_ends_though_somebody_does_not_read() {
    let cluster = Cluster::new();
    let ending = serve(&cluster);
    let channel = dial(ending.address, cluster.client(Role::Reader))
        .await
        .unwrap();
    let follow = v1::EventsRequest {
        follow: true,
        tail: None,
        ..Default::default()
    };
    let _stuck = MachineServiceClient::new(channel)
        .events(follow)
        .await
        .unwrap();
    ending.drain.send(()).unwrap();
    let served = timeout(DEADLINE, ending.server).await;
    served.expect("the server ends in time").unwrap().unwrap();
    let refused = timeout(Duration::from_secs(5), TcpStream::connect(ending.address)).await;
    assert!(refused.unwrap().is_err(), "nobody listens any more");
}
