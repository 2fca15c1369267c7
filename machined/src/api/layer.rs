//! The gate every call passes: authorise, count, bound, end, record.
//!
//! It stands in front of all services at once, so that a service cannot be mounted beside it. It knows methods and peers, never
//! what a message means.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
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
use super::endpoint::Endpoint;
use super::peer::Peer;
use super::scrape;
use super::streams::{Stream, Streams};

/// What is read of a call from somebody who has proven nothing: a version request or a pairing is under a hundred bytes, the
/// requests of a worker that joins are three thousand.
const STRANGERS_BYTES: usize = 16 * 1024;

/// The most time a call of somebody without a certificate may take, who may have paired: four MiB at half a megabit.
const STRANGERS_TIME: Duration = Duration::from_secs(60);

/// Wraps all services of the port.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) endpoint: watch::Receiver<Arc<Endpoint>>,
    pub(super) sink: Arc<dyn Sink>,
    /// The answers that go on.
    pub(super) streams: Streams,
    /// True when the server ends, and with it all answers that are not over.
    pub(super) ending: watch::Receiver<bool>,
}

impl Gate {
    /// Ready when answers must end.
    fn ending(&self) -> BoxFuture<'static, ()> {
        let mut ending = self.ending.clone();
        // An error means that the server is gone, which is an end, too.
        Box::pin(async move { drop(ending.wait_for(|ending| *ending).await) })
    }
}

/// What callers are told whose answers the end of the server cuts short.
fn going_down() -> Status {
    Status::unavailable("the node is shutting down")
}

/// A refusal in the words that the caller reads.
fn refused(status: Status, plain: bool) -> Response<Body> {
    if plain {
        scrape::refusal(&status)
    } else {
        status.into_http()
    }
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
        let plain = scrape::is_plain(&request);
        let mut open = Open::new(Arc::clone(&self.gate.sink), method, &peer, now);
        let endpoint = Arc::clone(&self.gate.endpoint.borrow());
        let decided = authz::decide(method, &endpoint, &peer, now);
        let decided = decided.map_err(|denial| Status::from(&denial));
        let decided = decided.and_then(|()| scrape::check_version(&request));
        let begin = || self.gate.streams.begin(method, peer.source().ip());
        let stream = match decided.and_then(|()| begin().map_err(Status::from)) {
            Ok(stream) => stream,
            Err(status) => {
                open.ended(status.code());
                return Box::pin(async move { Ok(refused(status, plain)) });
            }
        };
        request.extensions_mut().insert(open.target());
        let stranger = peer.certificate().is_none();
        if stranger && !peer.is_paired() {
            request = request.map(|body| {
                Body::new(Bounded {
                    body,
                    left: STRANGERS_BYTES,
                })
            });
        }
        let answer = self.inner.call(request);
        let mut ending = self.gate.ending();
        Box::pin(async move {
            let answer = async {
                if !stranger {
                    return answer.await;
                }
                timeout(STRANGERS_TIME, answer).await.unwrap_or_else(|_| {
                    let late = Status::deadline_exceeded("the call took longer than a minute");
                    Ok(late.into_http())
                })
            };
            let (response, until) = tokio::select! {
                biased;
                response = answer => (response?, Until::Ending(ending)),
                () = &mut ending => (refused(going_down(), plain), Until::Over),
            };
            if plain {
                open.ended(scrape::ended(&response));
            }
            open.read(response.headers());
            Ok(response.map(|body| {
                Body::new(Recorded {
                    body,
                    open,
                    until,
                    _stream: stream,
                })
            }))
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
                    let text = "more than 16 KiB from a caller without a certificate; in maintenance mode, send the pairing string first";
                    return Poll::Ready(Some(Err(Status::resource_exhausted(text))));
                }
            }
        }
        Poll::Ready(frame)
    }
}

/// How long an answer goes on.
enum Until {
    /// Until this is ready, if it does not end before.
    Ending(BoxFuture<'static, ()>),
    /// For one message, if there is one now: that of a call which was just answered, and counts as done.
    OneMore,
    /// Until the answer says how it ended, if it does so now.
    Now,
    /// It was ended.
    Over,
}

/// An answer whose end completes the record. It has an end, even if what it tells has none.
struct Recorded {
    body: Body,
    open: Open,
    until: Until,
    _stream: Option<Stream>,
}

impl Recorded {
    /// Ends the answer as gRPC does, after whatever was sent of it.
    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.until = Until::Over;
        let (status, mut trailers) = (going_down(), HeaderMap::new());
        self.open.ended(status.code());
        Poll::Ready(Some(
            status
                .add_header(&mut trailers)
                .map(|()| Frame::trailers(trailers)),
        ))
    }
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if matches!(self.until, Until::Over) {
            return Poll::Ready(None);
        }
        if let Until::Ending(ending) = &mut self.until
            && ending.as_mut().poll(context).is_ready()
        {
            self.until = Until::OneMore;
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let more = match &frame {
            Poll::Ready(Some(Ok(frame))) => frame.is_data(),
            Poll::Ready(_) => false,
            Poll::Pending => true,
        };
        match &mut self.until {
            Until::OneMore if more && frame.is_ready() => self.until = Until::Now,
            Until::OneMore | Until::Now if more => return self.end(),
            _ => {}
        }
        let frame = ready!(frame);
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
        matches!(self.until, Until::Over) || self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
