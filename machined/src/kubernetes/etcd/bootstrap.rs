//! The beginning of a cluster: said once, by a person.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use cosi::Source;
use futures_util::stream;
use resources::kubernetes::{KUBERNETES, KubernetesSpec};
use resources::runtime::Condition;
use store::{Spec as _, Store};
use thiserror::Error;
use tokio::sync::Notify;

use super::data::{self, Data};
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

/// Takes the order.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    folder: PathBuf,
    uid: u32,
    ordered: Arc<Notify>,
}

impl Bootstrap {
    /// For etcd that runs as `uid`, with its data in this folder.
    #[must_use]
    pub fn new(folder: PathBuf, uid: u32) -> Self {
        Self {
            folder,
            uid,
            ordered: Arc::default(),
        }
    }

    /// Who is told of an order.
    #[must_use]
    pub fn ordered(&self) -> Arc<Notify> {
        Arc::clone(&self.ordered)
    }

    /// Has a cluster begin here, unless it has.
    ///
    /// # Errors
    /// It cannot begin here.
    pub fn begin(&self, store: &Store) -> Result<Beginning, BootstrapError> {
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
        let prepared = folder::make(&self.folder, self.uid);
        prepared.map_err(BootstrapError::Keep)?;
        if data::look(&self.folder).map_err(BootstrapError::Keep)? != Data::None {
            return Ok(Beginning::Before);
        }
        data::begin(&self.folder).map_err(BootstrapError::Keep)?;
        self.ordered.notify_one();
        Ok(Beginning::Ordered)
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
mod tests {
    use jiff::Timestamp;
    use store::{Resource, Transaction};

    use super::*;

    fn put<S: store::Spec>(store: &Store, id: &str, spec: S) {
        let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn a_cluster_begins_once_and_only_where_it_can() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::new(1);
        let bootstrap = Bootstrap::new(parent.path().join("etcd"), nix::unistd::getuid().as_raw());
        let refused = |store: &Store| bootstrap.begin(store).unwrap_err();
        assert!(matches!(refused(&store), BootstrapError::NoCluster));
        let cluster = |control_plane| KubernetesSpec {
            control_plane,
            ..KubernetesSpec::default()
        };
        put(&store, KUBERNETES, cluster(false));
        assert!(matches!(refused(&store), BootstrapError::Worker));
        put(&store, KUBERNETES, cluster(true));
        assert!(matches!(refused(&store), BootstrapError::NoDisk(_)));
        let disk = |met| Condition {
            met,
            message: "EPHEMERAL".to_owned(),
        };
        put(&store, EPHEMERAL, disk(false));
        assert!(matches!(refused(&store), BootstrapError::NoDisk(_)));
        put(&store, EPHEMERAL, disk(true));
        assert_eq!(bootstrap.begin(&store).unwrap(), Beginning::Ordered);
        assert_eq!(bootstrap.begin(&store).unwrap(), Beginning::Before);
    }
}
