//! A client that asks until it gets an answer.

use std::io;
use std::net::{IpAddr, SocketAddr};

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::arguments::Patience;
use crate::names::{Names, NamesError};

/// HTTP.
const PORT: u16 = 80;

/// The longest body that is taken, in bytes.
const LIMIT: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// Every try failed, until there was no time for another.
    #[error("get {url} (tries: {tries})")]
    Deadline {
        /// What was asked for.
        url: Uri,
        /// How often.
        tries: u64,
        /// The last.
        #[source]
        last: Box<TryError>,
    },
}

/// Why one try failed.
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    /// The host has no address.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// None of its addresses took a connection; this is the last.
    #[error("connect to {0}")]
    Connect(SocketAddr, #[source] io::Error),
    /// The request could not be made.
    #[error("ask for it")]
    Request(#[source] hyper::http::Error),
    /// The answer is no HTTP, or was cut off.
    #[error("speak HTTP")]
    Http(#[source] hyper::Error),
    /// The body was cut off, or has more than a mebibyte.
    #[error("read the answer")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is not what was asked for.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// It took too long.
    #[error("no answer in {0} s")]
    Slow(f64),
}

/// Asks until the answer is a success; gives its body.
///
/// # Errors
/// With the last failure, when there is no time for another try.
pub async fn get(names: &Names, url: &Uri, patience: &Patience) -> Result<String, GetError> {
    let end = Instant::now() + patience.deadline;
    let mut tries = 0;
    loop {
        tries += 1;
        let limit = patience.timeout.min(end.duration_since(Instant::now()));
        let slow = || TryError::Slow(limit.as_secs_f64());
        let once = timeout(limit, once(names, url)).await;
        let last = match once.unwrap_or_else(|_| Err(slow())) {
            Ok(body) => return Ok(body),
            Err(last) => Box::new(last),
        };
        if Instant::now() + patience.pause >= end {
            let url = url.clone();
            return Err(GetError::Deadline { url, tries, last });
        }
        sleep(patience.pause).await;
    }
}

async fn once(names: &Names, url: &Uri) -> Result<String, TryError> {
    // Brackets are the URL's, not the address's.
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let addresses = names.lookup(host).await?;
    let stream = connect(&addresses, url.port_u16().unwrap_or(PORT)).await?;
    let path = url.path_and_query().map_or("/", |it| it.as_str());
    let authority = url.authority().map_or("", |it| it.as_str());
    let request = Request::get(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("probe/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(TryError::Request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(TryError::Http)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(TryError::Http)?;
        let status = response.status();
        if !status.is_success() {
            return Err(TryError::Status(status));
        }
        let body = Limited::new(response.into_body(), LIMIT).collect().await;
        let body = body.map_err(|error| TryError::Body(explained(error)))?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    };
    // The connection is driven as long as there is something to wait for.
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        driven = connection => match driven {
            Ok(()) => answer.await,
            Err(error) => Err(TryError::Http(error)),
        },
    }
}

fn explained(
    error: Box<dyn std::error::Error + Send + Sync>,
) -> Box<dyn std::error::Error + Send + Sync> {
    if error.is::<LengthLimitError>() {
        return format!("it has more than {LIMIT} bytes").into();
    }
    error
}

/// The first connection that is taken.
pub(crate) async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, TryError> {
    let mut last = None;
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(TryError::Connect(address, error)),
        }
    }
    Err(last.unwrap_or_else(|| {
        let nobody = SocketAddr::from(([0, 0, 0, 0], port));
        TryError::Connect(nobody, io::ErrorKind::AddrNotAvailable.into())
    }))
}
