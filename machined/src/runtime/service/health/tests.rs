use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, UnixListener};

use super::*;

fn check(kind: ServiceCheckKind, target: &str) -> Check {
    Check::of(&ServiceCheck {
        kind,
        target: target.into(),
        failures: Some(2),
        ..ServiceCheck::default()
    })
    .expect("a check")
}

#[test]
fn a_check_that_cannot_be_is_refused() {
    let bad = [
        (ServiceCheckKind::File, "file"),
        (ServiceCheckKind::Unix, "sock"),
        (ServiceCheckKind::Tcp, "localhost:80"),
        (ServiceCheckKind::Http, "https://127.0.0.1:1/"),
        (ServiceCheckKind::Http, "http://127.0.0.1:1"),
        (ServiceCheckKind::Http, "http://127.0.0.1:1/a b"),
    ];
    for (kind, target) in bad {
        let target = target.to_owned();
        let check = ServiceCheck {
            kind,
            target,
            ..ServiceCheck::default()
        };
        assert!(Check::of(&check).is_err(), "{check:?}");
    }
    let never = ServiceCheck {
        target: "/x".into(),
        interval_seconds: Some(0),
        ..ServiceCheck::default()
    };
    assert!(Check::of(&never).is_err());
}

#[tokio::test]
async fn a_look_tells_what_is_there_from_what_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("it").display().to_string();
    for kind in [ServiceCheckKind::File, ServiceCheckKind::Unix] {
        assert!(!check(kind, &path).look().await, "{kind:?}");
    }
    let _unix = UnixListener::bind(&path).expect("a socket");
    for kind in [ServiceCheckKind::File, ServiceCheckKind::Unix] {
        assert!(check(kind, &path).look().await, "{kind:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    assert!(check(ServiceCheckKind::Tcp, &address).look().await);
    let url = format!("http://{address}/healthz");
    for (status, well) in [
        ("200 OK", true),
        ("204 x", true),
        ("503 x", false),
        ("", false),
    ] {
        let answer = async {
            // The first connection was that of the look before.
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let line = format!("HTTP/1.1 {status}\r\n\r\n");
            drop(stream.write_all(line.as_bytes()).await);
            let mut asked = [0; 13];
            drop(stream.read_exact(&mut asked).await);
            assert_eq!(&asked, b"GET /healthz ");
        };
        if status == "200 OK" {
            drop(listener.accept().await.expect("the look at the port"));
        }
        let look = check(ServiceCheckKind::Http, &url);
        let (passed, ()) = tokio::join!(look.look(), answer);
        assert_eq!(passed, well, "{status}");
    }
    drop(listener);
    assert!(!check(ServiceCheckKind::Tcp, &address).look().await);
}

#[tokio::test(start_paused = true)]
async fn it_takes_one_look_to_be_well_and_several_to_be_unwell() {
    let mut watched = Watched::new(1, check(ServiceCheckKind::File, "/x"));
    let mut told = Vec::new();
    for passed in [false, false, false, true, false, true, false, false, true] {
        watched.looked(passed);
        told.push(watched.well);
    }
    let (well, ill) = (Some(true), Some(false));
    assert_eq!(told, [None, None, None, well, well, well, well, ill, well]);
}

#[tokio::test(start_paused = true)]
async fn what_is_found_out_wakes_once_and_is_of_one_process_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("it");
    std::fs::write(&path, "").expect("a file");
    let name: Name = "thing".parse().expect("a name");
    let (wanted, known) = (watch::Sender::new(Wanted::new()), Known::default());
    let mut source = source(wanted.subscribe(), known.clone());
    let look = check(ServiceCheckKind::File, &path.display().to_string());
    wanted.send_replace(Wanted::from([(name.clone(), (7, look.clone()))]));
    assert_eq!(source.next().await, Some(()));
    assert_eq!((known.of(&name, 7), known.of(&name, 8)), (Some(true), None));
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(source.next().await, Some(()));
    assert_eq!(known.of(&name, 7), Some(false));
    drop(wanted);
    assert_eq!(source.next().await, None);
}
