//! Bundles in folders that come, go and are spoilt, the controller that looks at them, and a client that pulls.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use cosi::Runtime;
use http::{Method, StatusCode};
use resources::images::{CacheState, CachedImage, ImageBundle};
use store::{Spec, Store};
use testkit::until;
use tokio::sync::watch;

use super::digest::Digest;
use super::fixture::{Answer, LAYER, MANIFEST, Making, ask, blob, get, listener};
use super::{Faults, Places, parts};

/// A node with some folders for bundles.
struct Node {
    store: Store,
    address: SocketAddr,
}

impl Node {
    fn all<S: Spec>(&self) -> Vec<(String, S)> {
        let snapshot = self.store.snapshot();
        let found = snapshot.list_as::<S>(S::DEFINITION.namespace);
        let found = found.map(|it| (it.id().to_owned(), (*it.spec).clone()));
        found.collect()
    }

    /// Waits until an image is told so.
    async fn image(&self, id: &str, is_so: impl Fn(&CachedImage) -> bool) -> CachedImage {
        let found = || {
            let mut all = self.all::<CachedImage>().into_iter();
            let (_, image) = all.find(|(it, _)| it == id)?;
            is_so(&image).then_some(image)
        };
        until(id, found).await
    }

    async fn bundle(&self, folder: &Path, is_so: impl Fn(&ImageBundle) -> bool) -> ImageBundle {
        let id = folder.display().to_string();
        let found = || {
            let mut all = self.all::<ImageBundle>().into_iter();
            let (_, bundle) = all.find(|(it, _)| *it == id)?;
            is_so(&bundle).then_some(bundle)
        };
        until(&id, found).await
    }

    async fn get(&self, path: &str) -> Answer {
        get(self.address, path).await
    }
}

/// Runs a test beside the controller and the registry.
async fn beside<F: Future<Output = ()>>(places: Places, test: impl FnOnce(Node) -> F) {
    beside_faults(places, watch::channel(Faults::new()).1, test).await;
}

/// The same where something cannot be mounted.
async fn beside_faults<F: Future<Output = ()>>(
    places: Places,
    faults: watch::Receiver<Faults>,
    test: impl FnOnce(Node) -> F,
) {
    let store = Store::new(1);
    let (status, registry) = parts(places, faults).unwrap();
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(status).unwrap();
    let (listener, address) = listener();
    let node = Node { store, address };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        error = registry.serve(listener) => unreachable!("{error}"),
        () = test(node) => {}
    }
}

fn only(bundle: &Path) -> Places {
    Places {
        bundles: vec![bundle.to_owned()],
        shelves: Vec::new(),
    }
}

const PAUSE: &str = "registry.k8s.io/pause:3.10";

#[tokio::test]
async fn an_image_is_pulled_as_containerd_does() {
    let place = tempfile::tempdir().unwrap();
    let mut making = Making::new(place.path());
    let layer: Vec<u8> = (0..300_000_u32).map(|it| it.to_le_bytes()[0]).collect();
    let digest = making.image(PAUSE, &[&layer]);
    making.finish();
    beside(only(place.path()), async |node| {
        let image = node.image(PAUSE, |_| true).await;
        assert_eq!(
            (image.state, image.digest),
            (CacheState::Whole, digest.to_string())
        );
        assert_eq!(image.platforms, ["linux/amd64"]);
        assert_eq!(image.bundle, place.path().display().to_string());

        let welcome = node.get("/v2/").await;
        assert_eq!(welcome.status, StatusCode::OK);
        assert_eq!(
            welcome.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        let path = "/v2/pause/manifests/3.10?ns=registry.k8s.io";
        let head = ask(node.address, Method::HEAD, path, &[]).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        assert_eq!(head.header("content-type"), MANIFEST);
        assert_eq!(head.header("docker-content-digest"), digest.to_string());
        let manifest = node.get(&format!("/v2/pause/manifests/{digest}")).await;
        assert_eq!(Digest::of(&manifest.body), digest);
        assert_eq!(
            head.header("content-length"),
            manifest.body.len().to_string()
        );
        ask_for_parts(&node, &layer).await;
    })
    .await;
}

/// Asks for a layer of 300,000 bytes in all the ways there are.
async fn ask_for_parts(node: &Node, layer: &[u8]) {
    let part = Digest::of(layer);
    let path = format!("/v2/pause/blobs/{part}?ns=registry.k8s.io");
    let blob = node.get(&path).await;
    assert!(blob.body == layer && blob.is_whole);
    assert_eq!(blob.header("content-type"), LAYER);
    assert_eq!(blob.header("etag"), format!("\"{part}\""));
    let head = ask(node.address, Method::HEAD, &path, &[("range", "bytes=9-")]).await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (StatusCode::OK, "300000")
    );
    let (address, path) = (node.address, path.as_str());
    let range = async |header: &[(&str, &str)]| ask(address, Method::GET, path, header).await;
    let rest = range(&[("range", "bytes=200000-")]).await;
    assert_eq!(rest.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(rest.header("content-range"), "bytes 200000-299999/300000");
    assert!(rest.body == layer[200_000..]);
    let of_this = [("range", "bytes=5-7"), ("if-range", blob.header("etag"))];
    let middle = range(&of_this).await;
    assert_eq!(middle.body, layer[5..8]);
    let other = range(&[("range", "bytes=5-7"), ("if-range", "\"other\"")]).await;
    assert_eq!((other.status, other.body.len()), (StatusCode::OK, 300_000));
    let beyond = range(&[("range", "bytes=300000-")]).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header("content-range"), "bytes */300000");
    let known = format!("\"a\", {}", blob.header("etag"));
    let unless = [("if-none-match", &*known)];
    let same = range(&unless).await;
    assert_eq!(
        (same.status, same.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let place = tempfile::tempdir().unwrap();
    let mut making = Making::new(place.path());
    making.image(PAUSE, &[b"pause"]);
    making.finish();
    fs::write(place.path().join("secret"), "secret").unwrap();
    beside(only(place.path()), async |node| {
        node.image(PAUSE, |_| true).await;
        let (layer, nowhere) = (Digest::of(b"pause"), Digest::of(b"nowhere"));
        for (path, status, code) in [
            (
                "/v2/other/manifests/1?ns=registry.k8s.io",
                404,
                "NAME_UNKNOWN",
            ),
            ("/v2/pause/manifests/3.10?ns=docker.io", 404, "NAME_UNKNOWN"),
            (
                "/v2/pause/manifests/3.9?ns=registry.k8s.io",
                404,
                "MANIFEST_UNKNOWN",
            ),
            ("/v2/pause/manifests/3.10", 400, "NAME_INVALID"),
            (
                &format!("/v2/pause/manifests/{nowhere}"),
                404,
                "MANIFEST_UNKNOWN",
            ),
            // A part, but none that is a manifest.
            (
                &format!("/v2/pause/manifests/{layer}"),
                404,
                "MANIFEST_UNKNOWN",
            ),
            (&format!("/v2/pause/blobs/{nowhere}"), 404, "BLOB_UNKNOWN"),
            (
                "/v2/pause/blobs/sha256:..%2f..%2f..%2fsecret",
                400,
                "DIGEST_INVALID",
            ),
            ("/v2/../manifests/a", 400, "NAME_INVALID"),
            ("/v2/pause/tags/list", 404, "UNSUPPORTED"),
            ("/secret", 404, "UNSUPPORTED"),
        ] {
            let answer = node.get(path).await;
            let (found, message) = answer.error();
            assert_eq!(
                (answer.status.as_u16(), &*found),
                (status, code),
                "{path}: {message}"
            );
            assert_eq!(answer.header("content-type"), "application/json");
        }
        for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
            let answer = ask(node.address, method, "/v2/pause/manifests/3.10", &[]).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.header("allow"), "GET, HEAD");
            assert_eq!(answer.error().0, "UNSUPPORTED");
        }
    })
    .await;
}

#[tokio::test]
async fn a_damaged_part_is_never_sent_and_is_told() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("a"), place.path().join("b"));
    let good = vec![7; 300_000];
    let part = Digest::of(&good);
    let mut making = Making::new(&first);
    making.image(PAUSE, &[&good]);
    making.image("a.b/other:1", &[b"other"]);
    making.finish();
    let mut bad = good.clone();
    bad[150_000] = 8;
    fs::write(blob(&first, part), &bad).unwrap();
    let places = Places {
        bundles: vec![first.clone(), second.clone()],
        shelves: Vec::new(),
    };
    beside(places, async |node| {
        node.image(PAUSE, |it| it.state == CacheState::Whole).await;
        let path = format!("/v2/pause/blobs/{part}");
        // Neither whole nor from the undamaged part on.
        for range in ["bytes=0-", "bytes=200000-"] {
            let refused = ask(node.address, Method::GET, &path, &[("range", range)]).await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND);
            let (code, message) = refused.error();
            assert_eq!(code, "BLOB_UNKNOWN");
            assert!(message.contains("every copy is damaged"), "{message}");
        }
        let told = node.image(PAUSE, |it| it.state == CacheState::Broken).await;
        assert_eq!(
            told.problem,
            format!("{part}: it has other bytes than its digest says")
        );
        assert_eq!(
            node.image("a.b/other:1", |_| true).await.state,
            CacheState::Whole
        );
        let other = node
            .get(&format!("/v2/other/blobs/{}", Digest::of(b"other")))
            .await;
        assert_eq!(other.body, b"other");

        fs::write(first.join("mended"), &good).unwrap();
        fs::rename(first.join("mended"), blob(&first, part)).unwrap();
        assert!(node.get(&path).await.body == good);
        let told = node.image(PAUSE, |it| it.state == CacheState::Whole).await;
        assert_eq!(told.problem, "");
    })
    .await;
}

#[tokio::test]
async fn a_whole_copy_is_sent_in_place_of_a_damaged_one() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("a"), place.path().join("b"));
    for folder in [&first, &second] {
        let mut making = Making::new(folder);
        making.image(PAUSE, &[b"pause"]);
        making.finish();
    }
    let part = Digest::of(b"pause");
    fs::write(blob(&first, part), "PAUSE").unwrap();
    let places = Places {
        bundles: Vec::new(),
        shelves: vec![place.path().to_owned()],
    };
    beside(places, async |node| {
        node.bundle(&second, |it| it.images == 1).await;
        let answer = node.get(&format!("/v2/pause/blobs/{part}")).await;
        assert_eq!(answer.body, b"pause");
        let told = node.image(PAUSE, |it| it.state == CacheState::Broken).await;
        assert_eq!(told.bundle, first.display().to_string());
        assert_eq!(node.all::<CachedImage>().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn bundles_come_and_go_and_a_broken_one_stops_no_other() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let places = Places {
        bundles: vec![at("root")],
        shelves: vec![at("media")],
    };
    let media = at("media");
    beside(places, async |node| {
        let path = "/v2/pause/manifests/3.10?ns=registry.k8s.io";
        assert_eq!(node.get(path).await.status, StatusCode::NOT_FOUND);
        fs::write(media.join("README"), "no bundle").unwrap();
        fs::create_dir(media.join("empty")).unwrap();
        let mut making = Making::new(&media.join("usb"));
        let digest = making.image(PAUSE, &[b"pause"]);
        // It is none before its list is there.
        let no_list = |it: &ImageBundle| it.problem.starts_with("index.json: ");
        node.bundle(&media.join("usb"), no_list).await;
        making.finish();
        node.image(PAUSE, |it| it.digest == digest.to_string())
            .await;
        assert_eq!(node.get(path).await.status, StatusCode::OK);

        let broken = media.join("broken");
        drop(Making::new(&broken));
        fs::write(broken.join("index.json"), "{\"manifests\": [").unwrap();
        let told = node
            .bundle(&broken, |it| it.problem.starts_with("index.json is not"))
            .await;
        assert_eq!((told.state, told.images), (CacheState::Broken, 0));
        assert_eq!(node.get(path).await.status, StatusCode::OK);
        let mut making = Making::new(&broken);
        making.image("a.b/mended:1", &[b"mended"]);
        // Of one name, the image in the first bundle counts.
        making.image(PAUSE, &[b"another"]);
        making.finish();
        let mended = node.image("a.b/mended:1", |_| true).await;
        assert_eq!((mended.state, &*mended.problem), (CacheState::Whole, ""));
        node.image(PAUSE, |it| it.digest != digest.to_string())
            .await;
        let hidden = node
            .bundle(&media.join("usb"), |it| !it.problem.is_empty())
            .await;
        assert!(
            hidden.problem.contains("has another one of that name"),
            "{hidden:?}"
        );

        // A medium is not taken out file by file.
        fs::rename(&broken, at("gone")).unwrap();
        node.image(PAUSE, |it| it.digest == digest.to_string())
            .await;
        fs::rename(media.join("usb"), at("gone too")).unwrap();
        let left = || node.all::<ImageBundle>().is_empty().then_some(());
        until("no bundle", left).await;
        assert!(node.all::<CachedImage>().is_empty());
        assert_eq!(node.get(path).await.error().0, "NAME_UNKNOWN");
    })
    .await;
}

#[tokio::test]
async fn a_missing_part_is_told_and_the_rest_is_served() {
    let place = tempfile::tempdir().unwrap();
    let mut making = Making::new(place.path());
    making.image(PAUSE, &[b"here", b"gone"]);
    making.finish();
    let gone = Digest::of(b"gone");
    fs::remove_file(blob(place.path(), gone)).unwrap();
    beside(only(place.path()), async |node| {
        let told = node.image(PAUSE, |it| it.state == CacheState::Broken).await;
        assert_eq!(told.problem, format!("{gone}: it is missing"));
        let answer = node.get(&format!("/v2/pause/blobs/{gone}")).await;
        assert_eq!(answer.error().0, "BLOB_UNKNOWN");
        let here = node
            .get(&format!("/v2/pause/blobs/{}", Digest::of(b"here")))
            .await;
        assert_eq!(here.body, b"here");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_mounted_is_told_with_the_bundles_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("vdb");
    let (tell, told) = watch::channel(Faults::new());
    let places = Places::default();
    beside_faults(places, told, async |node| {
        let reason = "mounting the bundle on /dev/vdb: Invalid argument";
        tell.send_replace([(place.clone(), reason.to_owned())].into());
        let bundle = node
            .bundle(&place, |it| it.state == CacheState::Broken)
            .await;
        assert!(bundle.problem.contains("/dev/vdb"), "{bundle:?}");
        tell.send_replace(Faults::new());
        let gone = || node.all::<ImageBundle>().is_empty().then_some(());
        until("no bundle", gone).await;
    })
    .await;
}
