//! A web server of a few lines on loopback, with and without TLS.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use pki::{Authority, Names, SERVING_LIFETIME};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// More than any page here has.
const MOST: usize = 64 * 1024;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads a request and answers it by its path.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    respond: impl Fn(&str) -> Vec<u8>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap();
    assert!(request.to_lowercase().contains("\r\nhost: "), "{request}");
    let path = request.split(' ').nth(1).unwrap();
    // Whoever has heard enough may be gone.
    drop(stream.write_all(&respond(path)).await);
    drop(stream.shutdown().await);
}

fn page(body: &[u8]) -> Vec<u8> {
    let mut page =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    page.extend(body);
    page
}

fn sent_on(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

async fn fetched(
    listener: &TcpListener,
    respond: impl Fn(&str) -> Vec<u8>,
    url: &str,
) -> Result<Vec<u8>, FetchError> {
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, &respond).await;
        }
    };
    let url = url.parse().unwrap();
    let known = Resolvers::default();
    tokio::select! {
        () = serve => unreachable!("it has no end"),
        fetched = fetch(&url, MOST, &known, None) => fetched,
    }
}

#[tokio::test]
async fn a_page_is_fetched_over_other_pages_and_in_pieces() {
    let (listener, address) = listener().await;
    let chunked =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let respond = |path: &str| match path {
        "/" => sent_on("/next?a=b"),
        "/next?a=b" => sent_on(&format!("http://{address}/chunked")),
        _ => chunked.to_vec(),
    };
    let url = format!("http://{address}/");
    assert_eq!(fetched(&listener, respond, &url).await.unwrap(), b"abcde");
}

#[tokio::test]
async fn what_cannot_be_fetched_says_why() {
    let (listener, address) = listener().await;
    let large = MOST + 1;
    let respond = |path: &str| match path {
        "/gone" => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        "/round" => sent_on("/round"),
        "/file" => sent_on("file:///etc/passwd"),
        "/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec(),
        "/large" => page(&vec![b'a'; large]),
        _ => b"SSH-2.0-nonsense\r\n\r\n".to_vec(),
    };
    for (path, why) in [
        ("/gone", "404 Not Found"),
        ("/round", "more than 5 times"),
        ("/file", "cannot be followed"),
        ("/cut", "reading it"),
        ("/large", "longer than"),
        ("/other", "speaking HTTP"),
    ] {
        let error = fetched(&listener, respond, &format!("http://{address}{path}")).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(why), "{path}: {error}");
    }
    let secure = fetched(&listener, respond, &format!("https://{address}/")).await;
    assert!(matches!(secure, Err(FetchError::NoTls)), "{secure:?}");
}

#[tokio::test]
async fn a_server_over_tls_proves_itself() {
    let now = Timestamp::now();
    let authority = Authority::generate("test", now).unwrap();
    let own = authority.issue_serving("web", &Names::loopback(), SERVING_LIFETIME, now);
    let server = TlsAcceptor::from(pki::tls::maintenance_server(&own.unwrap()).unwrap());
    let (listener, address) = listener().await;
    let serve = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = server.accept(stream).await {
                answer(stream, |_| page(b"secret")).await;
            }
        }
    };
    let (url, known) = (
        format!("https://{address}/").parse().unwrap(),
        Resolvers::default(),
    );
    let believes = authorities(["nonsense", authority.identity().certificate_pem()]).unwrap();
    let strangers = authorities([]).unwrap();
    let both = async {
        let good = fetch(&url, MOST, &known, Some(&believes)).await;
        (good, fetch(&url, MOST, &known, Some(&strangers)).await)
    };
    let (good, bad) = tokio::select! {
        () = serve => unreachable!("it has no end"),
        both = both => both,
    };
    assert_eq!(good.unwrap(), b"secret");
    assert!(matches!(bad, Err(FetchError::Tls(_))), "{bad:?}");
}

#[test]
fn nobody_is_sent_from_a_proven_server_to_another_kind() {
    let from: Uri = "https://a/b".parse().unwrap();
    let to = |to| elsewhere(&from, to).map(|it| it.to_string());
    assert_eq!(to("/c?d"), Some("https://a/c?d".to_owned()));
    assert_eq!(to("https://b/"), Some("https://b/".to_owned()));
    for bad in ["http://b/", "//b/", "c", "", "file:///c"] {
        assert_eq!(to(bad), None, "{bad}");
    }
    assert_eq!(
        shown(&"https://user:secret@a:1/b?token=c".parse().unwrap()),
        "https://a:1/b"
    );
}
