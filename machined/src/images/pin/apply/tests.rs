use containerd::fake::{Fake, Pullable};
use cosi::Runtime;
use jiff::Timestamp;
use store::{Resource, Spec, Store, Transaction};

use super::super::plan::{OURS, PINNED};
use super::*;

fn put<S: Spec>(store: &Store, id: &str, spec: S) {
    let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
}

fn service(image: &str) -> ServiceSpec {
    ServiceSpec {
        image: image.to_owned(),
        ..ServiceSpec::default()
    }
}

/// Waits until just these are pinned.
async fn until_pinned(fake: &Fake, wanted: &[&str]) {
    testkit::until("the pinned images", || {
        let state = fake.state();
        let labelled = state.labels.iter();
        let pinned = labelled.filter(|(_, labels)| {
            let has = |(name, value): (&str, &str)| labels.get(name).is_some_and(|it| it == value);
            has(PINNED) && has(OURS)
        });
        pinned
            .map(|it| it.0.as_str())
            .eq(wanted.iter().copied())
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_services_and_pods_run_is_pinned_as_long_as_they_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("containerd.sock");
    let fake = Fake::default();
    for reference in ["api:1", "etcd:1", "etcd:2", "other:1"] {
        let mut state = fake.state();
        state
            .registry
            .insert(reference.to_owned(), Pullable::default());
        state.pulled.insert(reference.to_owned());
    }
    let store = Store::new(1);
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(Apply::new(socket.clone())).unwrap();
    put(&store, "etcd", service("etcd:1"));
    put(&store, CONTAINERD, service(""));
    let pod = StaticPod {
        image: "api:1".to_owned(),
        ..StaticPod::default()
    };
    put(&store, "kube-apiserver", pod);
    let test = async {
        let running = ServiceStatus {
            state: ServiceState::Running,
            ..ServiceStatus::default()
        };
        put(&store, CONTAINERD, running);
        until_pinned(&fake, &["api:1", "etcd:1"]).await;
        // An upgrade: what ran before may go.
        put(&store, "etcd", service("etcd:2"));
        until_pinned(&fake, &["api:1", "etcd:2"]).await;
        assert!(fake.state().labels["etcd:1"].is_empty());
    };
    tokio::select! {
        served = fake.clone().serve(&socket) => panic!("served: {served:?}"),
        _ = runtime.run(std::future::pending()) => panic!("it ended"),
        () = test => {}
    }
}
