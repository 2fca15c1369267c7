//! Bundles in folders, and an HTTP client that asks for what is in them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::digest::{Digest, Hasher};
use super::document::REF_NAME;
use super::layout::Name;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A bundle that is being made.
pub(super) struct Making {
    folder: PathBuf,
    manifests: Vec<Value>,
}

impl Making {
    /// Its folder, which is made; there is no list in it yet.
    pub(super) fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        let layout = r#"{"imageLayoutVersion":"1.0.0"}"#;
        fs::write(folder.join("oci-layout"), layout).unwrap();
        Self {
            folder: folder.to_owned(),
            manifests: Vec::new(),
        }
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(blob(&self.folder, digest), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    }

    /// Adds an image with these layers; its digest.
    pub(super) fn image(&mut self, name: &str, layers: &[&[u8]]) -> Digest {
        let layers = layers.iter().map(|it| self.blob(LAYER, it)).collect();
        self.of(name, layers)
    }

    /// Adds an image with one layer of so many zeros; that layer's digest.
    pub(super) fn large(&mut self, name: &str, bytes: u64) -> Digest {
        let mut hasher = Hasher::default();
        for _ in 0..bytes >> 20 {
            hasher.update(&[0; 1 << 20]);
        }
        let digest = hasher.finish();
        let file = fs::File::create(blob(&self.folder, digest)).unwrap();
        file.set_len(bytes).unwrap();
        let layer = json!({"mediaType": LAYER, "digest": digest.to_string(), "size": bytes});
        self.of(name, vec![layer]);
        digest
    }

    fn of(&mut self, name: &str, layers: Vec<Value>) -> Digest {
        let config = self.blob("application/vnd.oci.image.config.v1+json", b"{}");
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let manifest = manifest.to_string();
        let mut descriptor = self.blob(MANIFEST, manifest.as_bytes());
        descriptor["annotations"] = json!({ REF_NAME: name });
        descriptor["platform"] = json!({"os": "linux", "architecture": "amd64"});
        self.manifests.push(descriptor);
        Digest::of(manifest.as_bytes())
    }

    /// Writes the list, as a whole.
    pub(super) fn finish(self) {
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        fs::write(self.folder.join("new"), index.to_string()).unwrap();
        fs::rename(self.folder.join("new"), self.folder.join("index.json")).unwrap();
    }
}

/// Where a piece of content lies.
pub(super) fn blob(folder: &Path, digest: Digest) -> PathBuf {
    folder.join(Name::Blob(digest).to_string())
}

/// A port of loopback.
pub(super) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An answer; its body as far as it came, and whether it came whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) is_whole: bool,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The word for what is wrong, and the sentence.
    pub(super) fn error(&self) -> (String, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let text = |key: &str| body["errors"][0][key].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }
}

/// Begins a request on a connection of its own; what is to be polled for it to go on, and the answer's head.
pub(super) async fn begin(
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
) -> hyper::Result<http::Response<Incoming>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

/// Asks for something and reads all of it.
pub(super) async fn ask(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    tried(address, method, path, headers).await.unwrap()
}

/// The same, of a server that may end the connection before it has answered.
pub(super) async fn tried(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> hyper::Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in [("host", "node")].iter().chain(headers) {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::new()).unwrap();
    let response = begin(address, request).await?;
    let (head, mut incoming) = response.into_parts();
    let (mut body, mut is_whole) = (Vec::new(), true);
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend(frame.into_data().unwrap_or_default()),
            Err(_) => is_whole = false,
        }
    }
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
        is_whole,
    })
}

pub(super) async fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, Method::GET, path, &[]).await
}
