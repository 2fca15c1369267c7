//! Clients that do not behave.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::catalog::{Bundle, Catalog};
use super::super::digest::Digest;
use super::super::fixture::{Making, ask, begin, blob, get, listener, tried};
use super::super::folder::Folder;
use super::super::layout;
use super::*;

/// More than both ends of a connection on loopback hold (tcp_wmem and tcp_rmem are 4 and 6 MiB).
const LARGE: u64 = 32 << 20;

/// Short, where it is certain to run out.
const SHORT: Duration = Duration::from_millis(50);

/// A registry with one image that has a small layer and one that has a large one; the digest of that.
struct Served {
    place: TempDir,
    folder: Folder,
    registry: Registry,
    large: Digest,
    _catalog: watch::Sender<Arc<Catalog>>,
}

fn served(limits: Limits) -> Served {
    let place = tempfile::tempdir().unwrap();
    let mut making = Making::new(place.path());
    making.image("a.b/small:1", &[b"small"]);
    let large = making.large("a.b/large:1", LARGE);
    making.finish();
    let folder = Folder::new(place.path().to_owned());
    let bundle = Bundle {
        folder: folder.clone(),
        layout: layout::read(&folder).unwrap(),
        fault: None,
    };
    let catalog = Catalog::new(vec![Arc::new(bundle)]);
    let (catalog, watched) = watch::channel(Arc::new(catalog));
    Served {
        place,
        folder,
        registry: Registry::new(watched, Prover::default()).limits(limits),
        large,
        _catalog: catalog,
    }
}

/// Runs a test beside the registry.
async fn beside<F: Future<Output = ()>>(
    registry: &Registry,
    test: impl FnOnce(std::net::SocketAddr) -> F,
) {
    let (listener, address) = listener();
    tokio::select! {
        error = registry.clone().serve(listener) => unreachable!("{error}"),
        () = test(address) => {}
    }
}

fn one_connection() -> Limits {
    Limits {
        connections: 1,
        ..Limits::default()
    }
}

fn small() -> String {
    format!("/v2/small/blobs/{}", Digest::of(b"small"))
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: node\r\n\r\n")
}

#[tokio::test]
async fn who_never_reads_gives_way_to_the_next() {
    let limits = Limits {
        silence: SHORT,
        ..one_connection()
    };
    let served = served(limits);
    beside(&served.registry, async |address| {
        let mut silent = TcpStream::connect(address).await.unwrap();
        let path = format!("/v2/large/blobs/{}", served.large);
        silent.write_all(request(&path).as_bytes()).await.unwrap();
        // The only connection is taken until that one is given up.
        assert_eq!(get(address, &small()).await.body, b"small");
        let mut came = Vec::new();
        let end = silent.read_to_end(&mut came).await;
        assert!(end.is_err() || (came.len() as u64) < LARGE);
    })
    .await;
}

#[tokio::test]
async fn who_asks_nothing_gives_way_to_the_next() {
    for said in ["", "GET /v2/ HT", &request("/v2/")] {
        let limits = Limits {
            head: SHORT,
            ..one_connection()
        };
        let served = served(limits);
        beside(&served.registry, async |address| {
            let mut silent = TcpStream::connect(address).await.unwrap();
            silent.write_all(said.as_bytes()).await.unwrap();
            // Whoever is slow to ask on a busy machine is given up too, and asks again.
            let answer = loop {
                let tried = tried(address, http::Method::GET, &small(), &[]).await;
                if let Ok(answer) = tried {
                    break answer;
                }
            };
            assert_eq!(answer.body, b"small");
        })
        .await;
    }
}

#[tokio::test]
async fn a_medium_that_hangs_is_waited_for_so_long() {
    let limits = Limits {
        answer: SHORT,
        ..Limits::default()
    };
    let served = served(limits);
    let hanging = served.folder.hang();
    beside(&served.registry, async |address| {
        let answer = get(address, &small()).await;
        assert_eq!(answer.status.as_u16(), 504);
        assert!(answer.error().1.contains("takes too long"));
        // What needs no medium is answered.
        assert_eq!(get(address, "/v2/").await.status.as_u16(), 200);
    })
    .await;
    drop(hanging);
}

#[tokio::test]
async fn what_is_spoilt_while_it_is_sent_never_comes_whole() {
    for range in ["bytes=0-", "bytes=1048576-"] {
        let served = served(Limits::default());
        beside(&served.registry, async |address| {
            let path = format!("/v2/large/blobs/{}", served.large);
            let request = http::Request::get(path).header("host", "node");
            let request = request.header("range", range);
            let request = request.body(http_body_util::Empty::new()).unwrap();
            let answer = begin(address, request).await.unwrap();
            let length = answer.headers()["content-length"].to_str().unwrap();
            let length: usize = length.parse().unwrap();
            // It has begun, so it was whole, and most of it has not been sent.
            touch(served.place.path(), served.large);
            let (mut body, mut came) = (answer.into_body(), 0);
            let is_broken = loop {
                match body.frame().await {
                    Some(Ok(frame)) => came += frame.into_data().unwrap().len(),
                    Some(Err(_)) => break true,
                    None => break false,
                }
            };
            assert!(is_broken && came < length, "{came} of {length} bytes came");
        })
        .await;
    }
}

/// Changes the last byte of a file.
fn touch(folder: &Path, digest: Digest) {
    let file = std::fs::File::options()
        .write(true)
        .open(blob(folder, digest));
    file.unwrap().write_all_at(&[1], LARGE - 1).unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_long_or_none_is_refused() {
    let served = served(one_connection());
    beside(&served.registry, async |address| {
        let long = request(&format!("/v2/{}", "a".repeat(2 * HEAD)));
        let many = "a: b\r\n".repeat(HEADERS + 1);
        let many = request("/v2/").replace("\r\n\r\n", &format!("\r\n{many}\r\n"));
        for said in [
            long.as_str(),
            &many,
            "no protocol at all\r\n\r\n",
            "\0\0\0\0\r\n\r\n",
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // It may be closed with what was not read of it.
            drop(stream.read_to_end(&mut answer).await);
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{answer}"
            );
        }
        assert_eq!(get(address, &small()).await.body, b"small");
    })
    .await;
}

#[tokio::test]
async fn many_at_once_all_get_theirs() {
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let served = served(limits);
    beside(&served.registry, async |address| {
        let path = format!("/v2/large/blobs/{}", served.large);
        let headers = [("range", "bytes=-1000000")];
        let pulls = (0..16).map(|_| ask(address, http::Method::GET, &path, &headers));
        for answer in futures_util::future::join_all(pulls).await {
            assert!(answer.is_whole && answer.body == vec![0; 1_000_000]);
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_from_outside_is_served() {
    let served = served(Limits::default());
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let error = served.registry.serve(listener).await;
    assert!(
        error.to_string().contains("can be reached from outside"),
        "{error}"
    );
    drop(served.place);
}
