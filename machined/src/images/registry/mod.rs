//! The registry of the node itself: serves images of its bundles on loopback, for containerd to ask before any other registry.
//!
//! ```text
//! connection -> ask (what is asked for) -> plan (what to answer, by the catalog) -> answer (proves, opens, sends)
//! ```
//!
//! It speaks the part of the OCI distribution specification that pulling needs, and writes nothing. It needs neither a config nor a
//! certificate: what it serves is proven by its digest, and who asks is on this node. The task that serves owns the tasks of its
//! connections, all of which end with it; ending one only closes its socket.

mod answer;
mod ask;
mod patience;
mod plan;
mod range;
mod refusal;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::answer::Answerer;
pub use self::ask::{Ask, parse};
use self::patience::Patience;
pub use self::refusal::Refusal;
use super::catalog::Catalog;
use super::damage::Prover;

/// The port, on loopback: as other systems of this kind have it, so that mirrors that people have written down stay right.
pub const PORT: u16 = 3172;

/// The longest head of a request, in bytes: a name of 255, a tag of 128, and a dozen headers of a client. hyper's least is 8192.
const HEAD: usize = 8192;

/// The most headers of a request: four times as many as containerd sends.
const HEADERS: usize = 32;

/// After a failed accept (descriptors or memory ran out): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What clients are held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. Who comes later waits to be accepted.
    pub connections: usize,
    /// How long a connection may take for the head of a request, and how long it may have none.
    pub head: Duration,
    /// How long it may read nothing of what it has asked for.
    pub silence: Duration,
    /// How long one answer may take, with the proof of what is sent.
    pub answer: Duration,
}

impl Default for Limits {
    /// containerd pulls three parts of each image at once, with one connection each; every one costs up to 300 KiB while it is served.
    /// The largest layer known, 10 GiB, takes nine minutes at the 20 MiB a second of a slow medium.
    fn default() -> Self {
        Self {
            connections: 32,
            head: Duration::from_secs(30),
            silence: Duration::from_secs(30),
            answer: Duration::from_secs(1200),
        }
    }
}

/// The registry.
#[derive(Clone, Debug)]
pub struct Registry {
    catalog: watch::Receiver<Arc<Catalog>>,
    prover: Prover,
    limits: Limits,
}

impl Registry {
    /// Serves what the catalog has at any moment, and only what is proven.
    #[must_use]
    pub fn new(catalog: watch::Receiver<Arc<Catalog>>, prover: Prover) -> Self {
        Self {
            catalog,
            prover,
            limits: Limits::default(),
        }
    }

    /// With other limits than the usual.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves until dropped; comes back only when the socket is of no use, and says why.
    pub async fn serve(self, listener: TcpListener) -> io::Error {
        let listener = match usable(listener) {
            Ok(listener) => listener,
            Err(error) => return error,
        };
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let answerer = Arc::new(Answerer::new(self.catalog, self.prover, self.limits.answer));
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                let place = Arc::clone(&room).acquire_owned().await;
                let place = place.map_err(io::Error::other)?;
                let (stream, _) = listener.accept().await?;
                Ok::<_, io::Error>((stream, place))
            };
            tokio::select! {
                accepted = accepted => match accepted {
                    Ok((stream, place)) => {
                        let answerer = Arc::clone(&answerer);
                        connections.spawn(converse(stream, place, answerer, self.limits));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection for images");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// The socket for the runtime, if nobody else than this node can reach it.
fn usable(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let refused =
            format!("{address} can be reached from outside; images are served on loopback");
        return Err(io::Error::other(refused));
    }
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Answers on one connection until it ends.
async fn converse(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    answerer: Arc<Answerer>,
    limits: Limits,
) {
    let answer = service_fn(|request| {
        let answerer = Arc::clone(&answerer);
        async move { Ok::<_, std::convert::Infallible>(answerer.answer(request).await) }
    });
    let stream = TokioIo::new(Patience::new(stream, limits.silence));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(stream, answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(
            error = cosi::report(&error),
            "a connection for images broke"
        );
    }
    drop(place);
}

#[cfg(test)]
mod tests;
