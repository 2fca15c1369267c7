//! An API server for tests: real TLS, and answers as told.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, Names, Roles, Trust};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What was asked: method, path with its question, and what came along.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) object: Value,
}

/// An answer: its status, and its objects, a line each. With `stays` it does not end after them.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) lines: Vec<Value>,
    pub(crate) stays: bool,
}

impl Answer {
    pub(crate) fn of(object: Value) -> Self {
        Self {
            status: 200,
            lines: vec![object],
            stays: false,
        }
    }

    pub(crate) fn refused(status: u16, message: &str) -> Self {
        Self {
            status,
            ..Self::of(json!({"message": message}))
        }
    }

    pub(crate) fn watch(lines: Vec<Value>, stays: bool) -> Self {
        Self {
            status: 200,
            lines,
            stays,
        }
    }
}

/// Serves by itself for as long as it is there.
pub(crate) struct Fake {
    pub(crate) address: std::net::SocketAddr,
    _tasks: JoinSet<()>,
}

/// Serves answers, and puts the files of a client of it into a folder.
pub(crate) async fn serve(
    folder: &Path,
    answer: impl Fn(Asked) -> Answer + Send + Sync + 'static,
) -> Fake {
    let now = Timestamp::now();
    let authority = Authority::generate("kubernetes", now).unwrap();
    let hour = SignedDuration::from_hours(1);
    let own = authority.issue_client("node", Roles::default(), hour, now);
    let own = own.unwrap();
    let both = format!("{}{}", own.certificate_pem(), own.key_pem().expose());
    std::fs::write(folder.join("client.pem"), both).unwrap();
    let trusted = authority.identity().certificate_pem();
    std::fs::write(folder.join("ca.crt"), trusted).unwrap();
    let serving = authority.issue_serving("server", &Names::loopback(), hour, now);
    let trusted = Trust::from_pem(trusted).unwrap();
    let tls = pki::tls::server(&serving.unwrap(), &trusted).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(listener, TlsAcceptor::from(tls), Arc::new(answer)));
    Fake {
        address,
        _tasks: tasks,
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    answer: Arc<impl Fn(Asked) -> Answer + Send + Sync + 'static>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, answer) = (tls.clone(), Arc::clone(&answer));
        connections.spawn(async move {
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| {
                let answer = Arc::clone(&answer);
                async move { Ok::<_, Infallible>(respond(request, &*answer).await) }
            });
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            drop(served.await);
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    answer: &(impl Fn(Asked) -> Answer + Send + Sync),
) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let answer = answer(Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        object: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let lines = answer.lines.into_iter().map(|it| format!("{it}\n"));
    let frames = stream::iter(lines.map(|it| Ok(Frame::data(Bytes::from(it)))));
    let end = match answer.stays {
        true => stream::pending().left_stream(),
        false => stream::empty().right_stream(),
    };
    Response::builder()
        .status(answer.status)
        .body(StreamBody::new(frames.chain(end)).boxed_unsync())
        .unwrap()
}
