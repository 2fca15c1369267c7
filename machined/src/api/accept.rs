//! From a listening socket to encrypted connections with a known peer.
//!
//! Owns the accept loop and one task per connection until its handshake is done; all of them end when the loop's future is dropped,
//! and cancelling one only closes its socket. How many there may be is `admission`'s, what they may call is `authz`'s.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pki::tls;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::admission::{Admission, Pass, Stage};
use super::endpoint::Endpoint;
use super::farewell;
use super::peer::Peer;
use super::proof::Proof;

/// From the connection to the end of the handshake: a few round trips on the worst link.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// After a failed accept (descriptors or memory ran out): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection of HTTP/2 begins with (RFC 9113, 3.4).
const HTTP_2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Accepts until dropped, handing finished connections to `ready`.
pub(super) async fn run(
    listener: TcpListener,
    admission: Admission,
    endpoint: watch::Receiver<Arc<Endpoint>>,
    ready: mpsc::Sender<Connection>,
) {
    let mut greetings = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, source)) => {
                    if let Some((pass, end)) = admission.admit(source.ip()) {
                        let greeting = Greeting { source, pass, endpoint: endpoint.clone() };
                        greetings.spawn(greeting.run(stream, end, ready.clone()));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    admission.give_up_oldest();
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = greetings.join_next() => {}
        }
    }
}

/// What one connection's task knows until the handshake is done.
struct Greeting {
    source: SocketAddr,
    pass: Pass,
    endpoint: watch::Receiver<Arc<Endpoint>>,
}

impl Greeting {
    async fn run(
        self,
        stream: TcpStream,
        mut end: oneshot::Receiver<()>,
        ready: mpsc::Sender<Connection>,
    ) {
        let source = self.source;
        let greeted = tokio::select! {
            greeted = timeout(HANDSHAKE, self.shake_hands(stream)) => greeted,
            _ = &mut end => return tracing::debug!(%source, "gave up a connection for a newer one"),
        };
        match greeted {
            Ok(Ok((tls, peer))) => {
                let preface = preface(&tls, &peer);
                // An error means that the server has ended; so does this connection, then.
                ready
                    .send(Connection {
                        tls,
                        peer,
                        preface,
                        end: Some(end),
                    })
                    .await
                    .unwrap_or_default();
            }
            Ok(Err(error)) => tracing::debug!(%source, %error, "handshake failed"),
            Err(_) => tracing::debug!(%source, "handshake took too long"),
        }
    }

    async fn shake_hands(self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Peer)> {
        let full = || io::Error::other("there are too many connections");
        stream.set_nodelay(true)?;
        stream.readable().await?;
        if !self.pass.rise(Stage::Talking) {
            return Err(full());
        }
        let endpoint = Arc::clone(&self.endpoint.borrow());
        let tls = TlsAcceptor::from(endpoint.tls()).accept(stream).await?;
        let shown = tls.get_ref().1.peer_certificates().unwrap_or_default();
        let proof = Proof::of(shown).map_err(io::Error::other)?;
        let stage = if proof.is_some() {
            Stage::Proven
        } else {
            Stage::Anonymous
        };
        if !self.pass.rise(stage) {
            farewell::say(tls, &self.pass.crowd(stage)).await?;
            return Err(full());
        }
        let peer = Peer::new(
            self.source,
            proof,
            endpoint.clients().clone(),
            Some(self.pass),
        );
        Ok((tls, peer))
    }
}

/// What a connection has to begin with. HTTP/1.1 is for those who have proven themselves and have not agreed on HTTP/2:
/// strangers get one parser to try out, and no more than its limits.
fn preface(tls: &TlsStream<TcpStream>, peer: &Peer) -> &'static [u8] {
    let agreed = tls.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
    if agreed || peer.certificate().is_none() {
        HTTP_2_PREFACE
    } else {
        &[]
    }
}

/// An encrypted connection that can be told to end.
pub(super) struct Connection {
    tls: TlsStream<TcpStream>,
    peer: Peer,
    /// What must come next.
    preface: &'static [u8],
    /// `None` once it has been told to end.
    end: Option<oneshot::Receiver<()>>,
}

impl Connection {
    fn poll_alive(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(end) = &mut self.end
            && Pin::new(end).poll(context).is_pending()
        {
            return Ok(());
        }
        self.end = None;
        Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "given up for a newer connection",
        ))
    }
}

impl Connection {
    /// Holds what came against what must come.
    fn check(&mut self, came: &[u8]) -> io::Result<()> {
        let length = came.len().min(self.preface.len());
        let (wanted, later) = self.preface.split_at(length);
        if !came.starts_with(wanted) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "another protocol than the handshake agreed on",
            ));
        }
        self.preface = later;
        Ok(())
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_alive(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tls).poll_read(context, buffer))?;
        let came = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(self.check(came))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_alive(context)?;
        Pin::new(&mut self.tls).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_alive(context)?;
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_alive(context)?;
        ready!(Pin::new(&mut self.tls).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}
