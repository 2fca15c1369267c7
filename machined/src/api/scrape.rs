//! `GET /metrics`: what monitoring asks for, in plain HTTP beside the gRPC services and behind the same gate.
//!
//! It is the one path that HTTP/1.1 may ask for too: scrapers speak either. What is refused or fails on it is told in the
//! words of HTTP, since nobody there reads gRPC's.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::node::Failure;

/// Where the metrics are.
pub(super) const PATH: &str = "/metrics";

/// OpenMetrics' name for itself.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Asks the node for its metrics.
pub(super) type Ask = Arc<dyn Fn() -> BoxFuture<'static, Result<String, Failure>> + Send + Sync>;

/// Answers for the path, and leaves all others to the services.
#[derive(Clone)]
pub(super) struct Scrape(pub(super) Ask);

impl<S> Layer<S> for Scrape {
    type Service = Scraped<S>;

    fn layer(&self, inner: S) -> Scraped<S> {
        Scraped {
            inner,
            ask: Arc::clone(&self.0),
        }
    }
}

/// The services, with the path beside them.
#[derive(Clone)]
pub(super) struct Scraped<S> {
    inner: S,
    ask: Ask,
}

impl<S> Service<Request<Body>> for Scraped<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return Box::pin(self.inner.call(request));
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Box::pin(async { Ok(only_get()) });
        }
        let asked = (self.ask)();
        Box::pin(async move {
            Ok(match asked.await {
                Ok(text) => written(StatusCode::OK, OPEN_METRICS, text),
                Err(failure) => refusal(&Status::from(failure)),
            })
        })
    }
}

/// Whether a request is answered in the words of HTTP.
pub(super) fn is_plain<T>(request: &Request<T>) -> bool {
    request.uri().path() == PATH || request.version() < Version::HTTP_2
}

/// Refuses to speak gRPC over what cannot carry how a call ended.
pub(super) fn check_version<T>(request: &Request<T>) -> Result<(), Status> {
    if request.uri().path() == PATH || request.version() >= Version::HTTP_2 {
        return Ok(());
    }
    Err(Status::unimplemented(
        "HTTP/1.1 has /metrics only; everything else is gRPC over HTTP/2, as `osctl` speaks it",
    ))
}

/// A status in the words of HTTP.
pub(super) fn refusal(status: &Status) -> Response<Body> {
    let code = match status.code() {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::Unavailable | Code::FailedPrecondition => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    written(code, PLAIN, format!("{}\n", status.message()))
}

/// How a call ended that was answered in the words of HTTP, for its record.
pub(super) fn ended(answer: &Response<Body>) -> Code {
    match answer.status() {
        StatusCode::OK => Code::Ok,
        StatusCode::METHOD_NOT_ALLOWED => Code::InvalidArgument,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Internal,
    }
}

fn only_get() -> Response<Body> {
    let text = "/metrics is for reading: use GET\n".to_owned();
    let mut answer = written(StatusCode::METHOD_NOT_ALLOWED, PLAIN, text);
    let allowed = HeaderValue::from_static("GET, HEAD");
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

fn written(status: StatusCode, kind: HeaderValue, text: String) -> Response<Body> {
    let mut answer = Response::new(Body::new(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
