use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::fake::{Fake, Pullable};
use crate::{Client, Error};

const REFERENCE: &str = "registry.lab/etcd:1";

fn etcd(layers: &[&str]) -> Pullable {
    Pullable {
        id: "sha256:c0".to_owned(),
        config: b"{\"rootfs\":{}}".to_vec(),
        digest: "sha256:d0".to_owned(),
        chain: "sha256:e0".to_owned(),
        layers: layers.iter().map(PathBuf::from).collect(),
    }
}

/// Runs a test against a fake that has one image in its registry.
async fn with<F: Future<Output = ()>>(image: Pullable, test: impl FnOnce(Client, Fake) -> F) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("containerd.sock");
    let fake = Fake::default();
    fake.state().registry.insert(REFERENCE.to_owned(), image);
    let client = Client::new(&socket);
    tokio::select! {
        served = fake.clone().serve(&socket) => panic!("served: {served:?}"),
        () = test(client, fake.clone()) => {}
    }
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("garboard/service".to_owned(), "etcd".to_owned())])
}

#[tokio::test]
async fn an_image_is_pulled_and_its_folders_found() {
    with(
        etcd(&["/layers/2", "/layers/1"]),
        |client, fake| async move {
            assert_eq!(client.image(REFERENCE).await.expect("asked"), None);
            client.pull(REFERENCE).await.expect("pulled");
            let image = client.image(REFERENCE).await.expect("asked");
            let image = image.expect("there");
            assert_eq!(
                (image.config.as_str(), image.digest.as_str()),
                ("sha256:c0", "sha256:d0")
            );
            let config = client.content(&image.config).await.expect("there");
            assert_eq!(config, b"{\"rootfs\":{}}");
            // The second time it is there already.
            for _ in 0..2 {
                let layers = client.view("key", "sha256:e0", &labels()).await;
                let layers = layers.expect("a view");
                assert_eq!(
                    layers.folders(),
                    [PathBuf::from("/layers/2"), "/layers/1".into()]
                );
            }
            let (parent, labels) = fake.state().snapshots["key"].clone();
            assert_eq!(parent, "sha256:e0");
            assert!(labels.contains_key("containerd.io/gc.root"), "{labels:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn views_are_found_by_their_label_and_removed() {
    with(etcd(&["/layers/1"]), |client, fake| async move {
        client
            .view("ours", "sha256:e0", &labels())
            .await
            .expect("a view");
        let other = (String::new(), BTreeMap::new());
        fake.state().snapshots.insert("others".to_owned(), other);
        let keys = client.labelled("garboard/service").await;
        assert_eq!(keys.expect("listed"), ["ours"]);
        for _ in 0..2 {
            client.remove("ours").await.expect("removed");
        }
        let state = fake.state();
        let left: Vec<_> = state.snapshots.keys().collect();
        assert_eq!(left, ["others"]);
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_names_what_was_asked_and_why_not() {
    with(etcd(&["relative"]), |client, _| async move {
        let error = client.pull("registry.lab/none:1").await.expect_err("none");
        let text = error.to_string();
        let wanted = "pulling the image registry.lab/none:1: registry.lab does not have it";
        assert_eq!(text, wanted);
        let error = client.view("key", "sha256:e1", &labels()).await;
        let text = error.expect_err("no parent").to_string();
        assert!(text.starts_with("making a view of sha256:e1: "), "{text}");
        let error = client.view("key", "sha256:e0", &labels()).await;
        assert!(matches!(error, Err(Error::Mount { .. })), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_containerd_that_is_not_there_is_told_and_found_when_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("containerd.sock");
    let client = Client::new(&socket);
    let error = client.image(REFERENCE).await.expect_err("nobody listens");
    let text = error.to_string();
    assert!(text.contains("No such file"), "{text}");
    let fake = Fake::default();
    tokio::select! {
        served = fake.serve(&socket) => panic!("served: {served:?}"),
        image = client.image(REFERENCE) => assert_eq!(image.expect("asked"), None),
    }
}

#[tokio::test]
async fn an_image_has_labels_until_they_are_taken_away() {
    with(etcd(&["/layers/1"]), |client, fake| async move {
        client.pull(REFERENCE).await.expect("pulled");
        let other = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        fake.state()
            .labels
            .insert(REFERENCE.to_owned(), other.clone());
        let of = async || {
            let all = client.references().await.expect("listed");
            assert_eq!(all.len(), 1);
            all.into_iter().next().expect("the one")
        };
        let pinned = |value: &str| BTreeMap::from([("pinned".to_owned(), value.to_owned())]);
        client
            .label(&of().await, &pinned("yes"))
            .await
            .expect("set");
        let labels = of().await.labels;
        assert_eq!(labels.get("pinned").map(String::as_str), Some("yes"));
        assert_eq!(labels.len(), 2);
        let found = of().await;
        client.label(&found, &pinned("")).await.expect("taken away");
        assert_eq!(of().await.labels, other);
        // One that is gone meanwhile is nobody's trouble.
        fake.state().pulled.clear();
        client
            .label(&found, &pinned("yes"))
            .await
            .expect("nothing to do");
    })
    .await;
}
