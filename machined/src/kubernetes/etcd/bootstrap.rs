//! The beginning of a cluster: said once, by a person.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::etcd::{DatabaseError, NoSnapshot, StorageVersion};
use cosi::Source;
use futures_util::stream;
use jiff::Timestamp;
use resources::kubernetes::{KUBERNETES, KubernetesSpec};
use resources::runtime::Condition;
use store::{Spec as _, Store};
use thiserror::Error;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::task::spawn_blocking;

use super::data::{self, Data};
use super::upload::{self, Upload};
use super::{access, leave, others};
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::{folder, image};

/// Why no cluster begins here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// Nothing of Kubernetes runs here.
    #[error(
        "this node is of no Kubernetes cluster: its config has no `Kubernetes`; `osctl gen config` makes one that has"
    )]
    NoCluster,
    /// It is a worker.
    #[error(
        "this node is a worker, and etcd runs on the control plane alone; say this to one node of that"
    )]
    Worker,
    /// There is no place for data.
    #[error("etcd's data needs the node's disk: {0}")]
    NoDisk(String),
    /// It is about to be a member of another one.
    #[error(
        "this node joins a cluster that goes on elsewhere; `osctl get conditions` says how far it is"
    )]
    Joins,
    /// There is one already.
    #[error(
        "the cluster goes on elsewhere: etcd at {0} answers for it; this node joins by itself, and `osctl get conditions` says how far it is"
    )]
    Elsewhere(SocketAddr),
    /// There is data already.
    #[error(
        "this node has etcd's data, which a snapshot would replace; `osctl etcd leave` or `osctl reset` come before that"
    )]
    HasData,
    /// It has left, and what ran before has not ended.
    #[error("this node has left etcd, which has not ended on it yet; say it again")]
    Runs,
    /// There is one on its way.
    #[error(
        "another snapshot is on its way to this node; what is left of it is gone when its caller has hung up"
    )]
    Busy,
    /// What came in is no snapshot.
    #[error(transparent)]
    Snapshot(#[from] NoSnapshot),
    /// Nobody could read it.
    #[error("the snapshot is as it was taken, and yet none of etcd's")]
    Database(#[from] DatabaseError),
    /// It is of an etcd that does things which that of the node does not know.
    #[error(
        "the snapshot is of etcd {snapshot}, and this node has etcd {}: etcd reads the data of its own minor version and of older ones, and none of a newer one; recover on nodes of a release with etcd {snapshot} or newer",
        image::ETCD
    )]
    Newer {
        /// What it is of.
        snapshot: StorageVersion,
    },
    /// It has no end.
    #[error("a snapshot has {} GiB at most", upload::LONGEST >> 30)]
    Long,
    /// The order cannot be kept.
    #[error("keeping the order")]
    Keep(#[source] io::Error),
}

/// What a beginning was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// From now on.
    Ordered,
    /// It was ordered before, or there is data.
    Before,
}

/// Takes the order, and has everybody work on the data one after the other.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    folder: PathBuf,
    uid: u32,
    ordered: Arc<Notify>,
    turn: Arc<Mutex<()>>,
    /// Of the one snapshot that may be on its way in.
    uploads: Arc<Semaphore>,
}

impl Bootstrap {
    /// For etcd that runs as `uid`, with its data in this folder.
    #[must_use]
    pub fn new(folder: PathBuf, uid: u32) -> Self {
        Self {
            folder,
            uid,
            ordered: Arc::default(),
            turn: Arc::default(),
            uploads: Arc::new(Semaphore::new(1)),
        }
    }

    /// Works on the data where it may wait for the disk, and nobody else works on it meanwhile: what the work sees there stays so
    /// until it has done what follows from that. Work that was begun goes on when this is dropped.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        // Not on the thread: there are few, and whoever waits here holds none.
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let own = self.clone();
        let worked = spawn_blocking(move || {
            let _turn = turn;
            work(&own)
        });
        worked.await.map_err(io::Error::other)?
    }

    /// Who is told of an order.
    #[must_use]
    pub fn ordered(&self) -> Arc<Notify> {
        Arc::clone(&self.ordered)
    }

    /// What there is, on a node where a cluster may begin.
    fn ready(&self, store: &Store) -> Result<Data, BootstrapError> {
        let snapshot = store.snapshot();
        let namespace = KubernetesSpec::DEFINITION.namespace;
        let cluster = snapshot.get_as::<KubernetesSpec>(namespace, KUBERNETES);
        match cluster {
            None => return Err(BootstrapError::NoCluster),
            Some(it) if !it.spec.control_plane => return Err(BootstrapError::Worker),
            Some(_) => {}
        }
        let namespace = Condition::DEFINITION.namespace;
        let mounted = snapshot.get_as::<Condition>(namespace, EPHEMERAL);
        match mounted {
            Some(it) if it.spec.met => {}
            Some(it) => return Err(BootstrapError::NoDisk(it.spec.message.clone())),
            None => return Err(BootstrapError::NoDisk("it has none".to_owned())),
        }
        self.prepared().map_err(BootstrapError::Keep)
    }

    /// What there is in the folder, which is there afterwards.
    pub(super) fn prepared(&self) -> io::Result<Data> {
        folder::make(&self.folder, self.uid)?;
        data::look(&self.folder)
    }

    /// Has a node that left be as one that never was a member.
    fn comes_back(&self, store: &Store) -> Result<(), BootstrapError> {
        if leave::runs(store) {
            return Err(BootstrapError::Runs);
        }
        data::rejoin(&self.folder).map_err(BootstrapError::Keep)
    }

    /// Has a cluster begin here, unless it has.
    ///
    /// # Errors
    /// It cannot begin here.
    pub async fn begin(&self, store: &Store) -> Result<Beginning, BootstrapError> {
        let store = store.clone();
        let begun = self.work(move |own| Ok(own.order(&store))).await;
        begun.map_err(BootstrapError::Keep)?
    }

    fn order(&self, store: &Store) -> Result<Beginning, BootstrapError> {
        match self.ready(store)? {
            Data::None => {}
            Data::Left => self.comes_back(store)?,
            Data::Joins(_) => return Err(BootstrapError::Joins),
            Data::Member(_) | Data::Recovers(_) | Data::Begins => return Ok(Beginning::Before),
        }
        data::begin(&self.folder).map_err(BootstrapError::Keep)?;
        self.look_again();
        Ok(Beginning::Ordered)
    }

    /// Prepares to take a snapshot that a cluster is to begin from here. There is none other until it is dropped.
    ///
    /// # Errors
    /// It cannot begin here, or has, or another one is on its way.
    pub async fn upload(&self, store: &Store) -> Result<Upload, BootstrapError> {
        let permit = Arc::clone(&self.uploads).try_acquire_owned();
        let permit = permit.map_err(|_| BootstrapError::Busy)?;
        let store = store.clone();
        let begun = self.work(move |own| {
            Ok(match own.recovers(&store) {
                Ok(()) => Upload::begin(own, store, permit).map_err(BootstrapError::Keep),
                Err(error) => Err(error),
            })
        });
        begun.await.map_err(BootstrapError::Keep)?
    }

    /// Has a node be one on which a cluster may begin from a snapshot.
    fn recovers(&self, store: &Store) -> Result<(), BootstrapError> {
        match self.ready(store)? {
            Data::None | Data::Begins | Data::Recovers(_) => Ok(()),
            Data::Left => self.comes_back(store),
            Data::Joins(_) => Err(BootstrapError::Joins),
            Data::Member(_) => Err(BootstrapError::HasData),
        }
    }

    /// Has a cluster begin from a snapshot, whose file is whole, if it still may: much happens while one comes in.
    pub(super) fn recover(&self, store: &Store, unfinished: &Path) -> Result<(), BootstrapError> {
        self.recovers(store)?;
        let kept = data::recover(&self.folder, unfinished, self.uid);
        kept.map_err(BootstrapError::Keep)?;
        self.look_again();
        Ok(())
    }

    /// Refuses to begin while etcd of the same cluster goes on elsewhere. One that has begun here is not asked about.
    ///
    /// # Errors
    /// Who says that it does.
    pub async fn alone(&self, store: &Store) -> Result<(), BootstrapError> {
        let data = match self.folder.try_exists() {
            Ok(true) => data::look(&self.folder).map_err(BootstrapError::Keep)?,
            Ok(false) => Data::None,
            Err(error) => return Err(BootstrapError::Keep(error)),
        };
        if matches!(data, Data::Member(_) | Data::Begins) {
            return Ok(());
        }
        // Why it cannot be asked is told by what comes next.
        let Ok(tls) = access::tls_of(store, Timestamp::now()) else {
            return Ok(());
        };
        match others::elsewhere(store, None, &tls).await {
            Some((client, _)) => Err(BootstrapError::Elsewhere(client.address())),
            None => Ok(()),
        }
    }

    /// Where etcd's data is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has whoever keeps the data look at it again.
    pub fn look_again(&self) {
        self.ordered.notify_one();
    }
}

/// Wakes at every order.
pub(super) fn changes(ordered: Arc<Notify>) -> Source {
    Box::pin(stream::unfold(ordered, |ordered| async {
        ordered.notified().await;
        Some(((), ordered))
    }))
}

#[cfg(test)]
pub(super) mod tests;
