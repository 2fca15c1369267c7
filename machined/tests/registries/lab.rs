//! A registry with one image.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use machined::images::digest::Digest;
use pki::{Authority, CLIENT_LIFETIME, Names, Role, Roles, SERVING_LIFETIME, Trust, tls};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Whom it lets in.
pub(crate) const USER: &str = "node";

/// With what.
pub(crate) const PASSWORD: &str = "hunter2: it's \"so\"";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What it wants beside TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    Password,
    Certificate,
}

/// The registry.
pub(crate) struct Lab {
    authority: Authority,
    port: u16,
    shelf: Arc<Shelf>,
    _serving: JoinSet<()>,
}

/// What it has, and what it was asked for.
struct Shelf {
    password: bool,
    /// What each path ends with, its type and its bytes.
    parts: BTreeMap<String, (&'static str, Vec<u8>)>,
    digest: String,
    asked: Mutex<Vec<String>>,
}

impl Shelf {
    fn new(password: bool) -> Self {
        // Two blocks of zeros are a tar archive of nothing.
        let layer = vec![0; 1024];
        let of = |bytes: &[u8]| Digest::of(bytes).to_string();
        let config = serde_json::json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/thing"]},
            "rootfs": {"type": "layers", "diff_ids": [of(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let part = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "digest": of(bytes), "size": bytes.len()});
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": part("application/vnd.oci.image.config.v1+json", &config),
            "layers": [part("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = of(&manifest);
        let parts = BTreeMap::from([
            (
                format!("/blobs/{}", of(&layer)),
                ("application/octet-stream", layer),
            ),
            (
                format!("/blobs/{}", of(&config)),
                ("application/octet-stream", config),
            ),
            (format!("/manifests/{digest}"), (MANIFEST, manifest.clone())),
            ("/manifests/1".to_owned(), (MANIFEST, manifest)),
        ]);
        Self {
            password,
            parts,
            digest,
            asked: Mutex::default(),
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let whole = request.uri().path_and_query().map(ToString::to_string);
        let response = Response::builder();
        let both = BASE64.encode(format!("{USER}:{PASSWORD}").as_bytes());
        let expected = format!("Basic {both}");
        let given = request.headers().get(header::AUTHORIZATION);
        if self.password && given.is_none_or(|it| *it != expected) {
            let response = response
                .status(StatusCode::UNAUTHORIZED)
                .header(header::WWW_AUTHENTICATE, "Basic realm=\"lab\"");
            return response.body(Full::default()).unwrap();
        }
        self.asked.lock().unwrap().extend(whole);
        let mut parts = self.parts.iter();
        let Some((_, (kind, bytes))) = parts.find(|(end, _)| path.ends_with(*end)) else {
            let response = response.status(StatusCode::NOT_FOUND);
            return response.body(Full::default()).unwrap();
        };
        let body = match *request.method() {
            Method::HEAD => Bytes::new(),
            _ => Bytes::from(bytes.clone()),
        };
        let response = response
            .header(header::CONTENT_TYPE, *kind)
            .header(header::CONTENT_LENGTH, bytes.len())
            .header("docker-content-digest", Digest::of(bytes).to_string());
        response.body(Full::new(body)).unwrap()
    }
}

impl Lab {
    pub(crate) async fn start(asks: Asks) -> Self {
        let now = Timestamp::now();
        let authority = Authority::generate("lab", now).unwrap();
        let names = Names::loopback();
        let serving = authority.issue_serving("lab", &names, SERVING_LIFETIME, now);
        let serving = serving.unwrap();
        let config = match asks {
            Asks::Certificate => {
                let trust = Trust::from_pem(authority.identity().certificate_pem()).unwrap();
                tls::server(&serving, &trust).unwrap()
            }
            _ => tls::maintenance_server(&serving).unwrap(),
        };
        let mut config = ServerConfig::clone(&config);
        config.alpn_protocols.clear();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shelf = Arc::new(Shelf::new(asks == Asks::Password));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, acceptor, Arc::clone(&shelf)));
        Self {
            authority,
            port,
            shelf,
            _serving: tasks,
        }
    }

    /// Host and port.
    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// By whom it is believed.
    pub(crate) fn ca(&self) -> &str {
        self.authority.identity().certificate_pem()
    }

    /// A certificate that it lets in, and its key.
    pub(crate) fn client(&self) -> (String, String) {
        let roles = Roles::from_iter([Role::Reader]);
        let now = Timestamp::now();
        let client = self
            .authority
            .issue_client("node", roles, CLIENT_LIFETIME, now);
        let client = client.unwrap();
        let key = client.key_pem().expose().clone();
        (client.certificate_pem().to_owned(), key)
    }

    /// The digest of its image.
    pub(crate) fn digest(&self) -> &str {
        &self.shelf.digest
    }

    /// What it was asked for by those that it let in.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shelf.asked.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shelf: Arc<Shelf>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(converse(stream, acceptor.clone(), Arc::clone(&shelf)));
    }
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, shelf: Arc<Shelf>) {
    // Whoever does not believe it, or is not let in, is gone.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let answer = service_fn(|request| {
        let response = shelf.answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let http = hyper::server::conn::http1::Builder::new();
    drop(http.serve_connection(TokioIo::new(stream), answer).await);
}
