//! Takes a snapshot of the node's own member, for the node to keep.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::etcd::{AlarmKind, Client, Part, Snapshot};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use super::shelf::{self, Name, ShelfError, Unfinished};

/// How long etcd may send nothing. It reads from its disk, which others may keep busy.
const SILENCE: Duration = Duration::from_secs(60);

/// How many parts wait for the disk: enough to keep both sides busy.
const WAITING: usize = 4;

/// Why no snapshot was taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TakeError {
    /// etcd does not answer, or breaks off.
    #[error("taking a snapshot")]
    Etcd(#[source] ::etcd::Error),
    /// Who follows nobody may be behind everybody.
    #[error("etcd has no leader now, so that its data may be old")]
    NoLeader,
    /// It knows less than the others.
    #[error("this node's member of etcd only listens yet")]
    Learner,
    /// What it has may be wrong.
    #[error(
        "there is an alarm CORRUPT: the data of a member is not that of the others; `osctl etcd alarms` names it, and docs/etcd.md says what to do"
    )]
    Corrupt,
    /// It would take what others need.
    #[error(
        "the disk has {free} bytes free, and a snapshot of {size} bytes has to leave {leave}: keep fewer (`keep` of `Etcd`), fetch and have fewer elsewhere, or lower `leaveFree`"
    )]
    Full {
        /// What is free.
        free: u64,
        /// What etcd has to say.
        size: u64,
        /// What is to be left.
        leave: u64,
    },
    /// It began, and stopped.
    #[error("etcd has sent nothing of the snapshot for {} s", SILENCE.as_secs())]
    Silence,
    /// The disk, or what came.
    #[error("keeping a snapshot")]
    Keep(#[source] ShelfError),
    /// The thread that writes.
    #[error("a thread to write with")]
    Thread(#[source] JoinError),
}

/// What is to be taken.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the node's own member answers.
    pub own: SocketAddr,
    /// What connects to it.
    pub tls: Arc<ClientConfig>,
    /// Where it goes.
    pub folder: PathBuf,
    /// What it is called there.
    pub name: Name,
    /// What is left of the disk, in bytes.
    pub leave: u64,
}

/// Takes one, which is whole and on the disk afterwards. When it is dropped before that, nothing is kept.
///
/// # Errors
/// Why there is none.
pub async fn take(order: Order) -> Result<(), TakeError> {
    let client = Client::new(order.own, order.tls);
    let size = well(&client).await?;
    let room = order.folder.clone();
    let prepared = spawn_blocking(move || prepare(&room, size, order.leave));
    prepared.await.map_err(TakeError::Thread)??;
    let snapshot = client.snapshot().await.map_err(TakeError::Etcd)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let kept = spawn_blocking(move || keep(&order.folder, order.name, receiver));
    let sent = send(snapshot, sender).await;
    let kept = kept.await.map_err(TakeError::Thread)?;
    // What ended it comes first: the other side has only noticed that.
    sent?;
    kept.map_err(TakeError::Keep)
}

/// How long the data is, of a member whose data is that of the cluster.
async fn well(client: &Client) -> Result<u64, TakeError> {
    let status = client.status().await.map_err(TakeError::Etcd)?;
    if status.learner {
        return Err(TakeError::Learner);
    }
    if status.leader.is_none() {
        return Err(TakeError::NoLeader);
    }
    let alarms = client.alarms().await.map_err(TakeError::Etcd)?;
    match alarms.iter().any(|it| it.kind == AlarmKind::Corrupt) {
        true => Err(TakeError::Corrupt),
        false => Ok(status.size),
    }
}

fn prepare(folder: &Path, size: u64, leave: u64) -> Result<(), TakeError> {
    shelf::prepare(folder).map_err(TakeError::Keep)?;
    let free = shelf::free(folder).map_err(TakeError::Keep)?;
    match free.checked_sub(size).is_some_and(|left| left >= leave) {
        true => Ok(()),
        false => Err(TakeError::Full { free, size, leave }),
    }
}

/// What the thread that writes is told.
enum Next {
    Part(Part),
    /// All has come.
    End,
}

/// Sends what comes to whoever writes it, until that is over on either side.
async fn send(mut snapshot: Snapshot, sender: mpsc::Sender<Next>) -> Result<(), TakeError> {
    loop {
        let part = timeout(SILENCE, snapshot.next()).await;
        let part = part.map_err(|_| TakeError::Silence)?;
        let next = part.map_err(TakeError::Etcd)?.map_or(Next::End, Next::Part);
        let ends = matches!(next, Next::End);
        // Nobody takes it any more when something is wrong with what came before: whoever wrote it tells.
        if sender.send(next).await.is_err() || ends {
            return Ok(());
        }
    }
}

/// Writes what comes, on a thread that may wait for the disk. Without its end nothing is kept.
fn keep(folder: &Path, name: Name, mut parts: mpsc::Receiver<Next>) -> Result<(), ShelfError> {
    let mut unfinished = Unfinished::begin(folder)?;
    while let Some(next) = parts.blocking_recv() {
        match next {
            Next::Part(part) => unfinished.take(&part.bytes)?,
            Next::End => return unfinished.end(name),
        }
    }
    Ok(())
}
