//! The beginning of a cluster: said once, by a person.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::etcd::NoSnapshot;
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
use crate::kubernetes::folder;

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
pub(super) mod tests {
    use std::fs;

    use resources::runtime::{ServiceState, ServiceStatus};
    use store::{Resource, Transaction};

    use super::super::restore;
    use super::*;

    fn put<S: store::Spec>(store: &Store, id: &str, spec: S) {
        let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    }

    #[tokio::test]
    async fn a_cluster_begins_once_and_only_where_it_can() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::new(1);
        let bootstrap = Bootstrap::new(parent.path().join("etcd"), nix::unistd::getuid().as_raw());
        let refused = async || bootstrap.begin(&store).await.unwrap_err();
        assert!(matches!(refused().await, BootstrapError::NoCluster));
        let cluster = |control_plane| KubernetesSpec {
            control_plane,
            ..KubernetesSpec::default()
        };
        put(&store, KUBERNETES, cluster(false));
        assert!(matches!(refused().await, BootstrapError::Worker));
        put(&store, KUBERNETES, cluster(true));
        assert!(matches!(refused().await, BootstrapError::NoDisk(_)));
        let disk = |met| Condition {
            met,
            message: "EPHEMERAL".to_owned(),
        };
        put(&store, EPHEMERAL, disk(false));
        assert!(matches!(refused().await, BootstrapError::NoDisk(_)));
        put(&store, EPHEMERAL, disk(true));
        assert_eq!(bootstrap.begin(&store).await.unwrap(), Beginning::Ordered);
        assert_eq!(bootstrap.begin(&store).await.unwrap(), Beginning::Before);
    }

    /// A node of a control plane with a disk.
    pub(crate) fn node() -> (tempfile::TempDir, Store, Bootstrap) {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::new(1);
        let uid = nix::unistd::getuid().as_raw();
        let bootstrap = Bootstrap::new(parent.path().join("etcd"), uid);
        let cluster = KubernetesSpec {
            control_plane: true,
            ..KubernetesSpec::default()
        };
        put(&store, KUBERNETES, cluster);
        let disk = Condition {
            met: true,
            message: String::new(),
        };
        put(&store, EPHEMERAL, disk);
        (parent, store, bootstrap)
    }

    /// A small one.
    pub(crate) fn snapshot() -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[16..20].copy_from_slice(&0xED0C_DAED_u32.to_le_bytes());
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        bytes.extend_from_slice(sum.as_ref());
        bytes
    }

    async fn uploaded(
        bootstrap: &Bootstrap,
        store: &Store,
        bytes: &[u8],
    ) -> Result<u64, BootstrapError> {
        let mut upload = bootstrap.upload(store).await?;
        for part in bytes.chunks(100) {
            upload.take(part)?;
        }
        upload.end().await
    }

    #[tokio::test]
    async fn a_snapshot_is_the_order_when_all_of_it_is_there() {
        let (_parent, store, bootstrap) = node();
        let whole = snapshot();
        for (bytes, nothing) in [
            (&whole[..1000], "a part is missing"),
            (&b"something else that is long enough"[..], "does not begin"),
        ] {
            let error = uploaded(&bootstrap, &store, bytes).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains(nothing), "{error}");
            assert_eq!(data::look(bootstrap.folder()).unwrap(), Data::None);
            assert_eq!(fs::read_dir(bootstrap.folder()).unwrap().count(), 0);
        }
        assert_eq!(uploaded(&bootstrap, &store, &whole).await.unwrap(), 1056);
        let first = data::look(bootstrap.folder()).unwrap();
        assert!(matches!(first, Data::Recovers(_)));
        // Nothing has come of it yet, so that another one may take its place.
        assert_eq!(bootstrap.begin(&store).await.unwrap(), Beginning::Before);
        uploaded(&bootstrap, &store, &whole).await.unwrap();
        fs::create_dir_all(bootstrap.folder().join("member/wal")).unwrap();
        let refused = uploaded(&bootstrap, &store, &whole).await.unwrap_err();
        assert!(matches!(refused, BootstrapError::HasData), "{refused}");
    }

    #[tokio::test]
    async fn nothing_begins_where_another_cluster_is_joined() {
        let (_parent, store, bootstrap) = node();
        folder::make(bootstrap.folder(), nix::unistd::getuid().as_raw()).unwrap();
        data::join(bootstrap.folder(), "a=https://10.0.0.1:2380").unwrap();
        let refused = bootstrap.begin(&store).await.unwrap_err();
        assert!(matches!(refused, BootstrapError::Joins), "{refused}");
        assert!(bootstrap.upload(&store).await.is_err());
        data::leave(bootstrap.folder()).unwrap();
        let service = |state| ServiceStatus {
            state,
            ..ServiceStatus::default()
        };
        put(&store, &restore::id(1), service(ServiceState::Stopping));
        let refused = bootstrap.begin(&store).await.unwrap_err();
        assert!(matches!(refused, BootstrapError::Runs), "{refused}");
        assert_eq!(data::look(bootstrap.folder()).unwrap(), Data::Left);
        put(&store, &restore::id(1), service(ServiceState::Stopped));
        assert_eq!(bootstrap.begin(&store).await.unwrap(), Beginning::Ordered);
        assert_eq!(data::look(bootstrap.folder()).unwrap(), Data::Begins);
    }

    #[tokio::test]
    async fn nothing_begins_from_a_snapshot_when_the_node_joined_meanwhile() {
        let (_parent, store, bootstrap) = node();
        let mut upload = bootstrap.upload(&store).await.unwrap();
        upload.take(&snapshot()).unwrap();
        data::join(bootstrap.folder(), "a=https://10.0.0.1:2380").unwrap();
        let refused = upload.end().await.unwrap_err();
        assert!(matches!(refused, BootstrapError::Joins), "{refused}");
        let data = data::look(bootstrap.folder()).unwrap();
        assert!(matches!(data, Data::Joins(_)), "{data:?}");
        assert_eq!(fs::read_dir(bootstrap.folder()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn work_on_the_data_holds_up_nobody_but_other_work_on_it() {
        let bootstrap = Bootstrap::new("/nowhere".into(), 0);
        let (go, waits) = std::sync::mpsc::channel();
        let (done, order) = std::sync::mpsc::channel();
        let later = done.clone();
        let first = bootstrap.work(move |_| {
            waits.recv().map_err(io::Error::other)?;
            done.send("first").map_err(io::Error::other)
        });
        let second = bootstrap.work(move |_| later.send("second").map_err(io::Error::other));
        let (first, second, ()) = tokio::join!(first, second, async { go.send(()).unwrap() });
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(order.iter().collect::<Vec<_>>(), ["first", "second"]);
    }

    #[tokio::test]
    async fn one_snapshot_is_on_its_way_at_a_time() {
        let (_parent, store, bootstrap) = node();
        let mut first = bootstrap.upload(&store).await.unwrap();
        let whole = snapshot();
        first.take(&whole[..100]).unwrap();
        let refused = bootstrap.upload(&store).await.unwrap_err();
        assert!(matches!(refused, BootstrapError::Busy), "{refused}");
        first.take(&whole[100..]).unwrap();
        assert_eq!(first.end().await.unwrap(), 1056);
        drop(bootstrap.upload(&store).await.unwrap());
        let data = data::look(bootstrap.folder()).unwrap();
        assert!(matches!(data, Data::Recovers(_)), "{data:?}");
    }
}
