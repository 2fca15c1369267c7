//! Asks an API server whether it takes requests, as anybody may, and what it is, as nodes may.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use ::config::skew::Release;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki::{Identity, Trust};
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The longest answer: a line for each of a few dozen checks.
const LONGEST: usize = 64 << 10;

/// Asks on this connection for `/readyz`; in words why not. Cancelling it closes the connection.
pub(super) async fn ask(
    stream: TcpStream,
    name: ServerName<'static>,
    authority: &Trust,
) -> Result<(), String> {
    let config = pki::tls::anonymous_client(authority).map_err(|error| words(&error))?;
    let (status, body) = get(stream, name, &config, "/readyz").await?;
    judge(status, &body)
}

/// Asks on this connection for `/version`, as whom `own` proves; nothing of one that does not say. Cancelling it closes the connection.
pub(super) async fn release(
    stream: TcpStream,
    name: ServerName<'static>,
    authority: &Trust,
    own: &Identity,
) -> Option<Release> {
    let config = pki::tls::client(authority, own).ok()?;
    let (status, body) = get(stream, name, &config, "/version").await.ok()?;
    status.is_success().then(|| said(&body))?
}

/// What it is by its answer.
fn said(body: &[u8]) -> Option<Release> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer.get("gitVersion")?.as_str()?.parse().ok()
}

/// Its answer to a question, of which nothing counts but the first 64 KiB.
async fn get(
    stream: TcpStream,
    name: ServerName<'static>,
    config: &rustls::ClientConfig,
    path: &str,
) -> Result<(StatusCode, Bytes), String> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let host = name.to_str().into_owned();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let tls = tls.await.map_err(|error| words(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(tls))
        .await
        .map_err(|error| words(&error))?;
    let request = Request::get(path)
        .header(HOST, host)
        .body(Empty::<Bytes>::new())
        .map_err(|error| words(&error))?;
    let answered = async {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| words(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes);
        Ok((status, body.unwrap_or_default()))
    };
    tokio::select! {
        answered = answered => answered,
        // Its faults are those of the answer, which may still be read when it has ended.
        never = async {
            drop(connection.await);
            std::future::pending::<Infallible>().await
        } => match never {},
    }
}

fn words(error: &(dyn Error + 'static)) -> String {
    cosi::report(error)
}

/// What an answer means.
fn judge(status: StatusCode, body: &[u8]) -> Result<(), String> {
    if status.is_success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(body);
    // `[-]etcd failed: reason withheld`, a line for each check.
    let failed = text.lines().filter_map(|line| line.strip_prefix("[-]"));
    let failed: Vec<_> = failed.filter_map(|it| it.split(' ').next()).collect();
    Err(if failed.is_empty() {
        format!("it answers {status}")
    } else {
        format!("it is not ready: {}", failed.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_is() {
        let body =
            br#"{"major": "1", "minor": "37", "gitVersion": "v1.37.1", "goVersion": "go1.26.11"}"#;
        assert_eq!(said(body), Some("1.37.1".parse().unwrap()));
        assert_eq!(said(b"{}"), None);
        assert_eq!(said(br#"{"gitVersion": "unknown"}"#), None);
    }

    #[test]
    fn checks_that_failed_are_named() {
        judge(StatusCode::OK, b"ok").unwrap();
        let body = b"[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/rbac failed: not finished\nreadyz check failed\n";
        let failed = judge(StatusCode::INTERNAL_SERVER_ERROR, body).unwrap_err();
        assert_eq!(failed, "it is not ready: etcd, poststarthook/rbac");
        let other = judge(StatusCode::FORBIDDEN, b"{}").unwrap_err();
        assert_eq!(other, "it answers 403 Forbidden");
    }
}
