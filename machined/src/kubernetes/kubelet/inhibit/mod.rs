//! Tells the kubelet that the machine is about to end, and waits until it has ended its pods.
//!
//! The kubelet ends pods in order, each with the time that it asks for, in what Kubernetes calls a graceful node shutdown; but it
//! waits to be told by logind of systemd, over D-Bus, and by nothing else. So this is what of the two a kubelet speaks to:
//!
//! ```text
//! kubelet                                     here
//!   how long may an end be held up? ------->  as long as its pods are given
//!   hold it up, for me ------------------->   a descriptor
//!   tell me when it is near
//!                         <----------------   it is, once an end was ordered
//!   (ends pods) closes the descriptor ---->   the end goes on
//! ```
//!
//! A descriptor is the write end of a pipe, so that one whose holder dies is closed as well. When machined is started again the kubelet
//! connects anew, within seconds. The socket is root's alone.

mod auth;
mod caller;
mod message;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::settings::GRACE;

/// Where the kubelet finds it.
pub const SOCKET: &str = "/run/garboard/inhibit.sock";

/// How long pods have at most: what the kubelet gives them, and what it needs to see that they have ended.
const LIMIT: Duration = GRACE.saturating_add(Duration::from_secs(5));

/// How long a kubelet that runs may take to come back after machined was started again. It tries every second.
const COMES: Duration = Duration::from_secs(5);

/// Callers at once: the kubelet, and one that it has just been.
const CALLERS: usize = 4;

/// What became of the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There was no kubelet that would end them.
    Nobody,
    /// The kubelet has ended them.
    All,
    /// Time was up before.
    Late,
}

/// Who holds the end of the machine up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inhibitors(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Whether the end is near.
    near: watch::Sender<bool>,
    /// Descriptors that are held.
    held: watch::Sender<usize>,
}

impl Default for Inhibitors {
    fn default() -> Self {
        Self(Arc::new(Shared {
            near: watch::Sender::new(false),
            held: watch::Sender::new(0),
        }))
    }
}

impl Inhibitors {
    /// Serves callers; never ends but by a fault of the socket. It is safe to cancel: who called connects anew.
    pub async fn serve(&self, listener: UnixListener) -> io::Error {
        let mut callers = JoinSet::new();
        loop {
            tokio::select! {
                taken = listener.accept(), if callers.len() < CALLERS => match taken {
                    Ok((stream, _)) => drop(callers.spawn(caller::serve(self.clone(), stream))),
                    Err(error) => return error,
                },
                Some(_) = callers.join_next() => {}
            }
        }
    }

    /// Has the kubelet end all pods, which it does once in its life. With `comes` it is waited for: it runs, and must have lost its
    /// connection.
    pub async fn end_pods(&self, comes: bool) -> Ended {
        let mut held = self.0.held.subscribe();
        if comes {
            // None that comes too late would be told, either.
            drop(timeout(COMES, held.wait_for(|held| *held > 0)).await);
        }
        if *held.borrow_and_update() == 0 {
            return Ended::Nobody;
        }
        self.0.near.send_replace(true);
        match timeout(LIMIT, held.wait_for(|held| *held == 0)).await {
            Ok(_) => Ended::All,
            Err(_) => Ended::Late,
        }
    }
}

/// A socket that root alone may open. It outlives the process that made it as a name alone.
///
/// # Errors
/// It cannot be made.
pub fn listen(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests;
