//! Asking an API server: JSON over HTTPS with the node's certificate.
//!
//! A connection each, since this node asks seldom.

#[cfg(test)]
pub(crate) mod fake;
mod lines;

pub use lines::Lines;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki::tls::TlsError;
use pki::{Identity, Trust};
use rustls_pki_types::ServerName;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::kubernetes::balancer;

/// The API server that this node asks.
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), balancer::PORT);

/// How long an answer may take. An API server that is about to answer at all does so within a minute, its own limit.
const ANSWER: Duration = Duration::from_secs(70);

/// The longest answer: more than the largest object that etcd takes.
const LONGEST: usize = 4 << 20;

/// Why an API server was of no use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there.
    #[error("connecting to the API server at {0}")]
    Connect(SocketAddr, #[source] io::Error),
    /// It is not the one of this cluster, or does not take the node for what it is.
    #[error("proving ourselves to each other at {0}")]
    Tls(SocketAddr, #[source] io::Error),
    /// The connection broke.
    #[error("talking to the API server")]
    Http(#[from] hyper::Error),
    /// It could not be asked so.
    #[error("asking for {0:?}")]
    Request(String, #[source] http::Error),
    /// It refused.
    #[error("the API server refuses {path:?}: {status}: {message}")]
    Refused {
        /// What it was asked for.
        path: String,
        /// Its answer.
        status: StatusCode,
        /// Its reason.
        message: String,
    },
    /// It sent too much, or broke off.
    #[error("reading the answer: {0}")]
    Body(String),
    /// It sent something else than JSON.
    #[error("reading the answer")]
    Json(#[from] serde_json::Error),
    /// It took too long.
    #[error("the API server took longer than {} s", ANSWER.as_secs())]
    Slow,
}

impl ClientError {
    /// What it answered instead, if it was asked at all.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What it answered instead, and why.
    #[must_use]
    pub fn refusal(&self) -> Option<(StatusCode, &str)> {
        match self {
            Self::Refused {
                status, message, ..
            } => Some((*status, message)),
            _ => None,
        }
    }

    /// Whether it answered that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether what was asked is refused itself, however often it is asked. One that others came before with another change, or a
    /// server that is not well, is not that.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let others = [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS];
        self.status()
            .is_some_and(|it| it.is_client_error() && !others.contains(&it))
    }

    /// Whether it answered that there is one already.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(StatusCode::CONFLICT)
    }
}

/// One API server, and who we are to it.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct Client {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Client {
    /// The server at an address, which proves itself by `authorities`; we are `own`.
    ///
    /// # Errors
    /// The certificate or its key cannot be used.
    pub fn new(address: SocketAddr, authorities: &Trust, own: &Identity) -> Result<Self, TlsError> {
        let mut config = rustls::ClientConfig::clone(&*pki::tls::client(authorities, own)?);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            address,
            name: ServerName::IpAddress(address.ip().into()),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// The object at a path.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, "application/json", None).await
    }

    /// Asks a path whose answer counts, and nothing of what is in it.
    ///
    /// # Errors
    /// It refuses, or cannot be asked.
    pub async fn check(&self, path: &str) -> Result<(), ClientError> {
        let asked = self.open(Method::GET, path, "application/json", None);
        let open = timeout(ANSWER, asked).await;
        open.map_err(|_| ClientError::Slow)?.map(drop)
    }

    /// Sends an object, or a patch of one; gives the answer.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        object: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let asked = async {
            let open = self.open(method, path, content_type, object).await?;
            let body = Limited::new(open.response.into_body(), LONGEST);
            let body = body.collect().await;
            // Until here it has to be carried.
            drop(open.carrier);
            let bytes = body.map_err(|error| ClientError::Body(error.to_string()))?;
            Ok(serde_json::from_slice(&bytes.to_bytes())?)
        };
        timeout(ANSWER, asked)
            .await
            .map_err(|_| ClientError::Slow)?
    }

    /// The objects that come in one by one, each in a line, until the server ends it.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let open = self.open(Method::GET, path, "application/json", None);
        let open = timeout(ANSWER, open).await;
        Ok(Lines::new(open.map_err(|_| ClientError::Slow)??))
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        object: Option<&Value>,
    ) -> Result<Open, ClientError> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(|error| ClientError::Connect(self.address, error))?;
        let stream = self.tls.connect(self.name.clone(), stream).await;
        let stream = stream.map_err(|error| ClientError::Tls(self.address, error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its faults are those of the answer.
        let carrier = Carrier(tokio::spawn(async { drop(connection.await) }).abort_handle());
        let body = object.map_or_else(Bytes::new, |it| it.to_string().into());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(USER_AGENT, concat!("garboard/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .map_err(|error| ClientError::Request(path.to_owned(), error))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(Open { response, carrier });
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let said = body.map(|body| body.to_bytes()).unwrap_or_default();
        Err(ClientError::Refused {
            path: path.to_owned(),
            status,
            message: reason(&said).unwrap_or_else(|| "no reason".to_owned()),
        })
    }
}

/// Why it refused: in an object, or for a question about its health, on the lines that begin with a minus in brackets.
fn reason(said: &[u8]) -> Option<String> {
    if let Ok(object) = serde_json::from_slice::<Value>(said) {
        let message = object.get("message").and_then(Value::as_str)?;
        // What is wrong in detail, unless it has been told: which budget it is that lets no pod be evicted.
        let causes = object.pointer("/details/causes").and_then(Value::as_array);
        let causes = causes.into_iter().flatten();
        let causes = causes.filter_map(|it| it.get("message").and_then(Value::as_str));
        let causes = causes.filter(|it| !message.contains(it));
        let whole: Vec<_> = [message].into_iter().chain(causes).collect();
        return Some(whole.join(" "));
    }
    let text = String::from_utf8_lossy(said);
    let failed: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("[-]"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    (!failed.is_empty()).then(|| format!("not yet: {}", failed.join(", ")))
}

/// An answer that is still coming in.
struct Open {
    response: Response<Incoming>,
    carrier: Carrier,
}

/// The task that moves a connection's bytes. It ends with whoever reads them.
struct Carrier(AbortHandle);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why() {
        let object = br#"{"kind":"Status","message":"no such thing"}"#;
        assert_eq!(reason(object).as_deref(), Some("no such thing"));
        let budget = br#"{"message":"Cannot evict.","details":{"causes":[{"reason":"DisruptionBudget","message":"The budget web needs 2"},{"message":"Cannot"}]}}"#;
        assert_eq!(
            reason(budget).as_deref(),
            Some("Cannot evict. The budget web needs 2")
        );
        let health = b"[+]ping ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n[-]etcd failed\nreadyz check failed";
        assert_eq!(
            reason(health).as_deref(),
            Some("not yet: poststarthook/rbac/bootstrap-roles, etcd")
        );
        assert_eq!(reason(b""), None);
    }

    #[test]
    fn others_that_came_first_are_no_refusal() {
        let refused = |status| ClientError::Refused {
            path: "/".to_owned(),
            status,
            message: String::new(),
        };
        assert!(!refused(StatusCode::CONFLICT).is_refusal());
        assert!(!refused(StatusCode::SERVICE_UNAVAILABLE).is_refusal());
        assert!(refused(StatusCode::FORBIDDEN).is_refusal());
        assert!(refused(StatusCode::UNPROCESSABLE_ENTITY).is_refusal());
        assert!(!ClientError::Slow.is_refusal());
    }
}
