//! The gate every call passes: authorise, bound, record.
//!
//! It stands in front of all services at once, so that a service cannot be mounted beside it. It knows methods and peers, never
//! what a message means.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tower::{Layer, Service};

use super::audit::{Open, Sink};
use super::authz;
use super::endpoint::{Endpoint, Mode};
use super::peer::Peer;

/// What is read of a call from somebody who has proven nothing: a version request or a pairing is under a hundred bytes.
const STRANGERS_BYTES: usize = 16 * 1024;

/// The most time a call in maintenance mode may take: four MiB at half a megabit.
const MAINTENANCE_TIME: Duration = Duration::from_secs(60);

/// Wraps all services of the port.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) endpoint: watch::Receiver<Arc<Endpoint>>,
    pub(super) sink: Arc<dyn Sink>,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            inner,
            gate: self.clone(),
        }
    }
}

/// The services behind the gate.
#[derive(Clone)]
pub(super) struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S> Service<Request<Body>> for Gated<S>
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            let status = Status::internal("the connection's peer is not known");
            return Box::pin(async move { Ok(status.into_http()) });
        };
        let now = Timestamp::now();
        let method = request.uri().path();
        let mut open = Open::new(Arc::clone(&self.gate.sink), method, &peer, now);
        let endpoint = Arc::clone(&self.gate.endpoint.borrow());
        if let Err(denial) = authz::decide(method, &endpoint, &peer, now) {
            let status = Status::from(&denial);
            open.ended(status.code());
            return Box::pin(async move { Ok(status.into_http()) });
        }
        request.extensions_mut().insert(open.target());
        let maintenance = *endpoint.mode() != Mode::Running;
        if maintenance && !peer.is_paired() {
            request = request.map(|body| {
                Body::new(Bounded {
                    body,
                    left: STRANGERS_BYTES,
                })
            });
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = if maintenance {
                timeout(MAINTENANCE_TIME, answer).await
            } else {
                Ok(answer.await)
            };
            let response = match answer {
                Ok(response) => response?,
                Err(_) => {
                    Status::deadline_exceeded("the call took longer than a minute").into_http()
                }
            };
            open.read(response.headers());
            Ok(response.map(|body| Body::new(Recorded { body, open })))
        })
    }
}

/// A request of which no more than so much is read.
struct Bounded {
    body: Body,
    left: usize,
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len()) {
                Some(left) => self.left = left,
                None => {
                    let text = "more than 16 KiB before pairing; send the pairing string first";
                    return Poll::Ready(Some(Err(Status::resource_exhausted(text))));
                }
            }
        }
        Poll::Ready(frame)
    }
}

/// An answer whose end completes the record.
struct Recorded {
    body: Body,
    open: Open,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.open.read(trailers);
                }
            }
            Some(Err(status)) => self.open.ended(status.code()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
