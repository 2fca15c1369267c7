//! Passes connections on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::config::skew::Release;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{
    KeepAlive, TcpKeepCount, TcpKeepIdle, TcpKeepInterval, TcpUserTimeout,
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::backends::{Backend, Target, is_ourselves};
use super::health::Health;
use super::look;
use crate::network::lookup::Lookup;

/// How long a server has to take a connection, and to say how it is.
pub(super) const DIAL: Duration = Duration::from_secs(15);

/// After so many seconds without a word the other end is asked whether it is still there, and what it does not acknowledge for so
/// long ends the connection.
const SILENCE: u32 = 30;

/// And so often again.
const ASKED: u32 = 3;

/// Connections at once. kubelet and the programs of a control plane have about a dozen; the rest is for pods on the node's own
/// network. Each holds two descriptors and 16 KiB.
const CONNECTIONS: usize = 256;

/// After a failed accept (descriptors or memory ran out): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections, and who looks after servers, have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) backends: watch::Receiver<Vec<Backend>>,
    pub(super) health: watch::Sender<Health>,
    lookup: Lookup,
    /// The folder with the files of the kubelet.
    pub(super) kubelet: PathBuf,
}

/// Passes connections on to API servers.
#[derive(Debug)]
pub struct Balancer {
    shared: Shared,
    most: usize,
}

impl Balancer {
    pub(super) fn new(
        backends: watch::Receiver<Vec<Backend>>,
        health: watch::Sender<Health>,
        lookup: Lookup,
        kubelet: PathBuf,
    ) -> Self {
        Self {
            shared: Shared {
                backends,
                health,
                lookup,
                kubelet,
            },
            most: CONNECTIONS,
        }
    }

    /// With another number of connections at once.
    #[cfg(test)]
    pub(super) fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Serves until dropped; comes back only when the socket is of no use, and says why.
    pub async fn serve(self, listener: std::net::TcpListener) -> io::Error {
        let made = listener.set_nonblocking(true);
        let listener = match made.and_then(|()| TcpListener::from_std(listener)) {
            Ok(listener) => listener,
            Err(error) => return error,
        };
        let shared = Arc::new(self.shared);
        let accepting = accept(&listener, &shared, self.most);
        tokio::select! {
            never = accepting => match never {},
            never = look::run(&shared) => match never {},
        }
    }
}

async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    most: usize,
) -> std::convert::Infallible {
    let mut connections = JoinSet::new();
    let mut full = false;
    loop {
        let room = connections.len() < most;
        if !room && !full {
            tracing::warn!(
                most,
                "as many connections to the Kubernetes API as this node passes on; the next wait until one ends"
            );
        }
        full = !room;
        tokio::select! {
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(pass(Arc::clone(shared), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the Kubernetes API");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, to its end.
async fn pass(shared: Arc<Shared>, mut client: TcpStream) {
    let Some((target, mut server)) = shared.dial().await else {
        return tracing::debug!("no API server takes a connection");
    };
    for stream in [&client, &server] {
        if let Err(error) = tune(stream) {
            tracing::debug!(%error, "tuning a connection to the Kubernetes API");
        }
    }
    tokio::select! {
        // How it ended is for both ends to know.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = shared.lost(&target) => {
            tracing::info!(%target, "ended a connection to an API server that is not well, or none any more");
        }
    }
}

/// Has the kernel find out that the other end is gone.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    setsockopt(stream, KeepAlive, &true)?;
    setsockopt(stream, TcpKeepIdle, &SILENCE)?;
    setsockopt(stream, TcpKeepInterval, &SILENCE)?;
    setsockopt(stream, TcpKeepCount, &ASKED)?;
    setsockopt(stream, TcpUserTimeout, &(SILENCE * ASKED * 1000))?;
    Ok(())
}

impl Shared {
    /// A connection to the best server that takes one.
    async fn dial(&self) -> Option<(Target, TcpStream)> {
        let order: Vec<Target> = {
            let backends = self.backends.borrow();
            let order = self.health.borrow().order(&backends);
            order.into_iter().map(|it| it.target.clone()).collect()
        };
        for target in order {
            let reached = timeout(DIAL, self.reach(&target)).await;
            let slow = || Err(format!("no answer in {} s", DIAL.as_secs()));
            match reached.unwrap_or_else(|_| slow()) {
                Ok(stream) => return Some((target, stream)),
                // That it takes connections is no proof of the contrary: it may take no requests.
                Err(reason) => self.note(&target, Err(reason)),
            }
        }
        None
    }

    /// A connection to one; in words why there is none.
    pub(super) async fn reach(&self, target: &Target) -> Result<TcpStream, String> {
        let found = self.lookup.addresses(&target.host).await?;
        let all = found.into_iter().map(|it| SocketAddr::new(it, target.port));
        let addresses: Vec<_> = all.filter(|it| !is_ourselves(*it)).collect();
        let mut last = "it is this node's own balancer".to_owned();
        let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        for address in addresses {
            match timeout(DIAL / shares, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address}: no answer"),
            }
        }
        Err(last)
    }

    /// Notes how one was found to be, and logs it when it is news.
    pub(super) fn note(&self, target: &Target, found: Result<(), String>) {
        let reason = found.clone().err();
        let mut turned = false;
        self.health.send_if_modified(|health| {
            // One that has left the list meanwhile is forgotten.
            let listed = self.backends.borrow().iter().any(|it| it.target == *target);
            let before = health.of(target).cloned();
            turned = listed && health.note(target, found);
            listed && health.of(target) != before.as_ref()
        });
        match reason {
            _ if !turned => {}
            None => tracing::info!(%target, "an API server is well"),
            Some(reason) => tracing::warn!(%target, reason, "an API server is not well"),
        }
    }

    /// Notes what one says that it runs, and logs it when it is news.
    pub(super) fn note_release(&self, target: &Target, release: Release) {
        let news = self.health.send_if_modified(|health| {
            let listed = self.backends.borrow().iter().any(|it| it.target == *target);
            let news = listed && health.release(target) != Some(release);
            if news {
                health.note_release(target, release);
            }
            news
        });
        if news {
            tracing::info!(%target, %release, "an API server says what it is");
        }
    }

    /// Waits until a connection to one should end.
    async fn lost(&self, target: &Target) {
        let (mut backends, mut health) = (self.backends.clone(), self.health.subscribe());
        loop {
            let holds = {
                let backends = backends.borrow_and_update();
                health.borrow_and_update().holds(&backends, target)
            };
            if !holds {
                return;
            }
            let gone = tokio::select! {
                changed = backends.changed() => changed.is_err(),
                changed = health.changed() => changed.is_err(),
            };
            if gone {
                // Nobody will say anything about it any more.
                std::future::pending::<()>().await;
            }
        }
    }
}
