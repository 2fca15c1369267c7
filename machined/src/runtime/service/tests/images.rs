//! Services from images: those of a life that ends, and all the way from a registry.

use std::sync::Arc;

use containerd::fake::{Fake, Pullable};
use cosi::Runtime;
use jiff::Timestamp;
use resources::images::{CacheState, CachedImage};
use resources::runtime::{ENVIRONMENT, EnvironmentSpec, ServiceCheck, ServiceCheckKind};
use store::{Resource, Spec, Store, Transaction};

use super::super::Orders;
use super::super::apply::{Apply, Places};
use super::super::container::image::Run;
use super::super::container::pulls::Image;
use super::super::rules::CONTAINERD;
use super::*;
use crate::images::digest::Digest;

const REFERENCE: &str = "registry.lab/etcd:1";

fn image() -> Arc<Image> {
    Arc::new(Image {
        digest: Digest::of(b"manifest").to_string(),
        key: "garboard-one-1".to_owned(),
        layers: vec!["/layer".into()],
        run: Run {
            entrypoint: vec!["/etcd".to_owned()],
            ..Run::default()
        },
    })
}

/// A node with a containerd that runs, and a service from an image.
fn node(marked: bool) -> Node {
    let mut node = Node::new(marked);
    node.want(CONTAINERD, STAYS);
    let spec = ServiceSpec {
        image: REFERENCE.to_owned(),
        ..ServiceSpec::default()
    };
    node.specs.insert(name("one"), spec);
    node
}

impl Life<'_> {
    /// Has its pull come to an end.
    fn pulls(&mut self, outcome: Result<Arc<Image>, String>) {
        let order = loop {
            if let Some(order) = self.look().pulls.orders.remove(&name("one")) {
                break order;
            }
            pause();
        };
        assert_eq!(order.reference, REFERENCE);
        let pulls = &self.node.pulls;
        pulls.note(name("one"), order.number, outcome);
    }
}

#[test]
fn a_service_from_an_image_goes_on_without_the_daemon_and_without_containerd() {
    for marked in [false, true] {
        let mut node = node(marked);
        let root = node.folder.path().join("one.root");
        let first = {
            let mut life = node.life();
            life.runs(CONTAINERD);
            let told = life.until("one", |it| it.state == ServiceState::Starting);
            assert_eq!(
                (told.pid, told.reason.as_str()),
                (0, "pulls registry.lab/etcd:1")
            );
            life.pulls(Ok(image()));
            let pid = life.runs("one");
            assert_eq!(
                fs::read_to_string(&root).expect("a root"),
                "[\"/layer\"] [\"/etcd\"]"
            );
            pid
        };
        node.specs.remove(&name(CONTAINERD));
        let mut life = node.life();
        life.until("one", |_| !life_has(&node, CONTAINERD));
        let told = life.until("one", |it| it.pid != 0);
        assert_eq!((told.pid, told.state), (first, ServiceState::Running));
        assert_eq!(
            (told.image, told.image_digest),
            (REFERENCE.to_owned(), image().digest.clone())
        );
        kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).expect("killed");
        let told = life.until("one", |it| it.state == ServiceState::Waiting);
        assert_eq!(
            told.reason,
            "waits for service containerd, which there is not"
        );
        assert_eq!(told.image, "", "of what runs");
        assert!(!root.exists(), "the root of what does not run");
    }
}

/// Whether a service has processes.
fn life_has(node: &Node, service: &str) -> bool {
    let pids = node.groups().pids(&name(service));
    !pids.expect("the processes").is_empty()
}

#[test]
fn a_pull_that_fails_is_told_and_ordered_again() {
    let node = node(true);
    let mut life = node.life();
    life.pulls(Err(
        "pulling the image: registry.lab does not have it".to_owned()
    ));
    let told = life.until("one", |it| it.state == ServiceState::Restarting);
    let why = "could not be started: pulling the image: registry.lab does not have it";
    assert_eq!(told.reason, why);
    life.pulls(Ok(image()));
    life.runs("one");
    // What runs needs its view, and containerd is not known to be well, so nothing may be dropped.
    assert_eq!(life.look().pulls.keep, None);
}

/// A containerd that could pull the image, and has a view for a service that there was once.
fn registry() -> Fake {
    let layer = Digest::of(b"layer").to_string();
    let config = format!(
        r#"{{"config": {{"Entrypoint": ["/etcd"]}}, "rootfs": {{"diff_ids": ["{layer}"]}}}}"#
    );
    let pullable = Pullable {
        id: Digest::of(config.as_bytes()).to_string(),
        config: config.into_bytes(),
        digest: image().digest.clone(),
        chain: layer.clone(),
        layers: vec!["/layer".into()],
    };
    let stale = (
        layer,
        [("garboard/service".to_owned(), "gone".to_owned())].into(),
    );
    let fake = Fake::default();
    let mut state = fake.state();
    state.registry.insert(REFERENCE.to_owned(), pullable);
    state.snapshots.insert("stale".to_owned(), stale);
    drop(state);
    fake
}

/// What is seen of the service until it is as it should be, with this containerd and these resources about.
async fn seen(
    fake: &Fake,
    more: Vec<Resource>,
    is: impl Fn(&ServiceStatus) -> bool,
) -> ServiceStatus {
    let node = node(false);
    let socket = node.folder.path().join("containerd.sock");
    let places = Places {
        groups: node.folder.path().join("groups"),
        records: node.folder.path().join("services"),
        logs: node.folder.path().join("logs"),
        roots: node.folder.path().join("containers"),
        containerd: socket.clone(),
    };
    let store = Store::new(1);
    let apply = Apply::with(node.groups(), node.roots(), places, Orders::default());
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(apply.expect("a folder")).expect("alone");
    let put = |resource| {
        let transaction = Transaction::owned("test").put(resource);
        store.commit(transaction, Timestamp::now()).expect("put");
    };
    put(Resource::in_default(
        ENVIRONMENT,
        EnvironmentSpec::default(),
    ));
    for (name, spec) in &node.specs {
        let mut spec = spec.clone();
        spec.check = (name.as_str() == CONTAINERD).then(|| ServiceCheck {
            kind: ServiceCheckKind::Unix,
            target: socket.display().to_string(),
            ..ServiceCheck::default()
        });
        put(Resource::in_default(name.to_string(), spec));
    }
    more.into_iter().for_each(put);
    let testing = testkit::until("the service", || {
        let namespace = ServiceStatus::DEFINITION.namespace;
        let found = store.snapshot().get_as::<ServiceStatus>(namespace, "one")?;
        is(&found.spec).then(|| (*found.spec).clone())
    });
    tokio::select! {
        served = fake.clone().serve(&socket) => panic!("served: {served:?}"),
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        status = testing => status,
    }
}

#[tokio::test]
async fn an_image_is_found_in_its_registry_and_run() {
    let fake = registry();
    let stale_is_dropped = |status: &ServiceStatus| {
        let keys: Vec<_> = fake.state().snapshots.keys().cloned().collect();
        let own = keys.iter().all(|it| it.starts_with("garboard-one-"));
        status.state == ServiceState::Running && keys.len() == 1 && own
    };
    let runs = seen(&fake, Vec::new(), stale_is_dropped).await;
    assert_eq!(runs.image_digest, image().digest);
}

#[tokio::test]
async fn what_is_wrong_with_the_nodes_own_copy_is_told_with_the_service() {
    let fake = registry();
    fake.state().registry.clear();
    let cached = CachedImage {
        state: CacheState::Broken,
        problem: "sha256:e3b0: it has other bytes than its digest says".to_owned(),
        ..CachedImage::default()
    };
    let more = vec![Resource::in_default(REFERENCE, cached)];
    let failed = |it: &ServiceStatus| it.state == ServiceState::Restarting;
    let told = seen(&fake, more, failed).await.reason;
    assert!(told.starts_with("could not be started: "), "{told}");
    let damage = "; the copy of its image that came with the node is damaged: sha256:e3b0: it has other bytes than its digest says";
    assert!(told.ends_with(damage), "{told}");
}
