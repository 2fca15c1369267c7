//! Fetches what is behind a URL, once. It uses no proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, LOCATION, USER_AGENT};
use http::uri::{Scheme, Uri};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::network::lookup::{LookupError, Resolvers, lookup};

/// How long one address has to take the connection; the kernel itself would try for two minutes.
const CONNECT: Duration = Duration::from_secs(10);
/// How long all of it may take: a few megabytes over a slow line.
const ALL: Duration = Duration::from_secs(120);
/// How often a server may send us on: as often as curl's users set it, and enough for a name, TLS and a folder.
const REDIRECTS: usize = 5;

/// Why nothing was fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum FetchError {
    #[error("finding its server")]
    Lookup(#[source] LookupError),
    #[error("connecting to {address}")]
    Connect {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the server did not prove itself")]
    Tls(#[source] io::Error),
    #[error("this node cannot speak TLS; its log says why")]
    NoTls,
    #[error("speaking HTTP")]
    Http(#[source] hyper::Error),
    #[error("the server said {0}")]
    Status(StatusCode),
    #[error("the server sent it on to {0:?}, where it cannot be followed")]
    Redirect(String),
    #[error("the server sent it on more than {REDIRECTS} times")]
    Redirects,
    #[error("it is longer than {0} bytes")]
    Large(usize),
    #[error("reading it: {0}")]
    Body(String),
    #[error("it took longer than {} s", ALL.as_secs())]
    Slow,
    #[error("it is no URL of a server")]
    Url,
}

/// What proves a server over TLS: the authorities that browsers believe, and those of these PEM texts. A text that is none adds
/// nobody.
pub(crate) fn authorities<'a>(
    own: impl IntoIterator<Item = &'a str>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    for text in own {
        let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
        roots.add_parsable_certificates(certificates.flatten());
    }
    let config = ClientConfig::builder_with_provider(pki::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A URL as it may be told to anybody: what stands before the host or behind the path may be a secret.
pub(crate) fn shown(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("http");
    let host = url.host().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |it| format!(":{it}"));
    format!("{scheme}://{host}{port}{}", url.path())
}

/// What one request led to.
enum Step {
    Done(Vec<u8>),
    Elsewhere(Uri),
}

/// The bytes behind a URL, `most` at most.
pub(crate) async fn fetch(
    url: &Uri,
    most: usize,
    resolvers: &Resolvers,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Vec<u8>, FetchError> {
    let follow = async {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            match step(&url, most, resolvers, tls).await? {
                Step::Done(bytes) => return Ok(bytes),
                Step::Elsewhere(next) => url = next,
            }
        }
        Err(FetchError::Redirects)
    };
    timeout(ALL, follow).await.map_err(|_| FetchError::Slow)?
}

async fn step(
    url: &Uri,
    most: usize,
    resolvers: &Resolvers,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Step, FetchError> {
    let host = url.host().ok_or(FetchError::Url)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let secure = url.scheme() == Some(&Scheme::HTTPS);
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = connect(host, port, resolvers).await?;
    if !secure {
        return exchange(url, most, stream).await;
    }
    let tls = Arc::clone(tls.ok_or(FetchError::NoTls)?);
    let name = pki::tls::server_name(host).map_err(|_| FetchError::Url)?;
    let stream = TlsConnector::from(tls).connect(name, stream).await;
    exchange(url, most, stream.map_err(FetchError::Tls)?).await
}

/// The first address of the host that takes the connection.
async fn connect(host: &str, port: u16, resolvers: &Resolvers) -> Result<TcpStream, FetchError> {
    let addresses = lookup(host, resolvers).await.map_err(FetchError::Lookup)?;
    let mut failure = FetchError::Url;
    for address in addresses {
        let address = SocketAddr::new(address, port);
        let source = match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        failure = FetchError::Connect { address, source };
    }
    Err(failure)
}

async fn exchange<S>(url: &Uri, most: usize, stream: S) -> Result<Step, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(FetchError::Http)?;
    let path = url.path_and_query().map_or("/", |it| it.as_str());
    let authority = url.authority().ok_or(FetchError::Url)?;
    let request = Request::get(path)
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("garboard/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Url)?;
    let asked = async {
        let response = sender.send_request(request).await;
        let response = response.map_err(FetchError::Http)?;
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION);
            let to = to.and_then(|it| it.to_str().ok()).unwrap_or_default();
            let next = elsewhere(url, to);
            return next
                .map(Step::Elsewhere)
                .ok_or_else(|| FetchError::Redirect(to.to_owned()));
        }
        if status != StatusCode::OK {
            return Err(FetchError::Status(status));
        }
        body(response.into_body(), most).await.map(Step::Done)
    };
    // The connection may be over before the last of the body is taken out of it; its faults are those of the answer.
    let carried = async {
        drop(connection.await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        step = asked => step,
        () = carried => Err(FetchError::Url),
    }
}

async fn body(body: Incoming, most: usize) -> Result<Vec<u8>, FetchError> {
    match Limited::new(body, most).collect().await {
        Ok(whole) => Ok(whole.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(FetchError::Large(most)),
        Err(error) => Err(FetchError::Body(error.to_string())),
    }
}

/// Where a server sends us: another URL or another path, and never from a server that proved itself to one that does not.
fn elsewhere(from: &Uri, to: &str) -> Option<Uri> {
    let next: Uri = if to.starts_with('/') && !to.starts_with("//") {
        let path = to.parse().ok()?;
        let mut parts = from.clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).ok()?
    } else {
        to.parse().ok()?
    };
    let secure = |url: &Uri| url.scheme() == Some(&Scheme::HTTPS);
    let known = secure(&next) || next.scheme() == Some(&Scheme::HTTP);
    (known && (secure(&next) || !secure(from))).then_some(next)
}

#[cfg(test)]
mod tests;
