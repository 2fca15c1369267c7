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
    ::etcd::fixture::snapshot(7, image::ETCD)
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
    assert_eq!(uploaded(&bootstrap, &store, &whole).await.unwrap(), 1568);
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
async fn a_snapshot_of_a_newer_etcd_is_refused() {
    let (_parent, store, bootstrap) = node();
    let of = async |version: &str| {
        let bytes = ::etcd::fixture::snapshot(7, version);
        uploaded(&bootstrap, &store, &bytes).await
    };
    let own: StorageVersion = image::ETCD.parse().unwrap();
    let (major, minor) = (own.major, own.minor);
    for newer in [(major, minor + 1), (major + 1, 0)] {
        let (major, minor) = newer;
        let refused = of(&format!("{major}.{minor}.0")).await.unwrap_err();
        assert!(matches!(refused, BootstrapError::Newer { .. }), "{refused}");
        let text = refused.to_string();
        assert!(
            text.contains(&format!("etcd {major}.{minor}, and")),
            "{text}"
        );
        assert!(text.contains(image::ETCD), "{text}");
        assert_eq!(data::look(bootstrap.folder()).unwrap(), Data::None);
        assert_eq!(fs::read_dir(bootstrap.folder()).unwrap().count(), 0);
    }
    of(&format!("{major}.{minor}.0")).await.unwrap();
    of(&format!("{major}.{}.0", minor - 1)).await.unwrap();
    // 3.5 and older do not say.
    of("").await.unwrap();
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
    assert_eq!(first.end().await.unwrap(), 1568);
    drop(bootstrap.upload(&store).await.unwrap());
    let data = data::look(bootstrap.folder()).unwrap();
    assert!(matches!(data, Data::Recovers(_)), "{data:?}");
}
