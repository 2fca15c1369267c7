//! A server that answers every HTTP request with what it was.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::tcp::REST;

/// How long requests that are being answered may take once the server is to end; kubelet waits thirty seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a request was, and who answers it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers by name; several of one name with commas between.
    pub headers: BTreeMap<String, String>,
    /// Who asked.
    pub remote: SocketAddr,
    /// The name of this host, which in a pod is the pod's.
    pub host: String,
}

/// Serves until `stop`, and then until what was asked is answered.
pub async fn serve(listener: &TcpListener, host: &str, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let open = GracefulShutdown::new();
    // One task per connection; dropping the set ends those that are still there when patience has run out.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    let host = host.to_owned();
                    let service = service_fn(move |request| {
                        let answer = answer(&request, remote, &host);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // A peer that is gone or speaks something else is nothing to tell.
                    connections.spawn(open.watch(connection));
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
        }
    }
    tokio::time::timeout(PATIENCE, open.shutdown()).await.ok();
}

fn answer(request: &Request<impl Body>, remote: SocketAddr, host: &str) -> Response<Full<Bytes>> {
    let uri = request.uri();
    let echo = Echo {
        method: request.method().to_string(),
        path: uri
            .path_and_query()
            .map_or(uri.path(), |it| it.as_str())
            .to_owned(),
        headers: headers(request.headers()),
        remote,
        host: host.to_owned(),
    };
    // Maps of text have no values that JSON lacks.
    let text = serde_json::to_string(&echo).unwrap_or_default();
    let mut response = Response::new(Full::from(format!("{text}\n")));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.to_string())
            .and_modify(|it| {
                it.push_str(", ");
                it.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    headers
}
