//! Answers requests: reads what is asked for, proves it, and sends it in pieces.
//!
//! Of what is sent no more than one piece is held. What cannot be read to its end, or is another file by then, ends the connection
//! before its last piece: a client never takes it for whole.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::super::catalog::{Catalog, Copy};
use super::super::damage::Prover;
use super::super::digest::Digest;
use super::super::document::MediaType;
use super::super::folder::{Opened, PIECE};
use super::super::layout::ContentError;
use super::ask;
use super::plan::{Conditions, Plan, plan, tag};
use super::range::Range;
use super::refusal::Refusal;

/// The digest of what is answered.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// By which clients of old tell a registry from a server of web pages.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Why an answer ended before its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum BrokenOff {
    #[error("reading it")]
    Read(#[source] ContentError),
    #[error("it is another file now")]
    Other,
    #[error("it took too long")]
    Slow,
}

type Body = UnsyncBoxBody<Bytes, BrokenOff>;

/// Answers for the catalog of the moment.
#[derive(Debug)]
pub(super) struct Answerer {
    catalog: watch::Receiver<Arc<Catalog>>,
    prover: Prover,
    longest: Duration,
}

/// A copy that is whole.
struct Proven {
    opened: Opened,
    media_type: MediaType,
    bytes: u64,
}

impl Answerer {
    pub(super) fn new(
        catalog: watch::Receiver<Arc<Catalog>>,
        prover: Prover,
        longest: Duration,
    ) -> Self {
        Self {
            catalog,
            prover,
            longest,
        }
    }

    /// Answers a request, whatever its body.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Body> {
        let (head, _) = request.into_parts();
        let deadline = Instant::now() + self.longest;
        let uri = &head.uri;
        let answered = async {
            let is_head = match head.method {
                Method::GET => false,
                Method::HEAD => true,
                _ => return Err(Refusal::Method),
            };
            let asked = ask::parse(uri.path(), uri.query())?;
            let how = conditions(&head.headers, is_head);
            let catalog = Arc::clone(&self.catalog.borrow());
            let plan = plan(asked, &how, &catalog)?;
            let carried = timeout_at(deadline, self.carry_out(plan, is_head, deadline));
            carried.await.unwrap_or(Err(Refusal::Slow))
        };
        let mut answer = answered.await.unwrap_or_else(|refusal| refused(&refusal));
        let version = HeaderValue::from_static("registry/2.0");
        answer.headers_mut().insert(API_VERSION, version);
        let status = answer.status().as_u16();
        tracing::debug!(method = %head.method, path = uri.path(), query = uri.query(), status, "asked for an image");
        answer
    }

    async fn carry_out(
        &self,
        plan: Plan,
        is_head: bool,
        deadline: Instant,
    ) -> Result<Response<Body>, Refusal> {
        match plan {
            Plan::Welcome => Ok(written(StatusCode::OK, "{}".to_owned())),
            Plan::Same(digest) => {
                let mut answer = Response::new(nothing());
                *answer.status_mut() = StatusCode::NOT_MODIFIED;
                put(&mut answer, ETAG, &tag(&digest));
                Ok(answer)
            }
            Plan::Send {
                digest,
                copies,
                range,
            } => {
                let proven = self.whole(digest, copies).await;
                let proven = proven.ok_or_else(|| Refusal::Damaged(digest.to_string()))?;
                sent(proven, digest, range, is_head, deadline)
            }
        }
    }

    /// The first copy that is whole.
    async fn whole(&self, digest: Digest, copies: Vec<Copy>) -> Option<Proven> {
        for Copy { folder, part } in copies {
            if let Some(opened) = self.prover.open(&folder, digest, part.bytes).await {
                return Some(Proven {
                    opened,
                    media_type: part.media_type,
                    bytes: part.bytes,
                });
            }
        }
        None
    }
}

/// How a request asks. A range is only for those who want bytes.
fn conditions(headers: &http::HeaderMap, is_head: bool) -> Conditions {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Conditions {
        range: text(RANGE).filter(|_| !is_head).and_then(Range::parse),
        if_range: text(IF_RANGE).map(str::to_owned),
        if_none_match: text(IF_NONE_MATCH).map(str::to_owned),
    }
}

/// The answer that sends content, or a part of it.
fn sent(
    proven: Proven,
    digest: Digest,
    range: Option<Range>,
    is_head: bool,
    deadline: Instant,
) -> Result<Response<Body>, Refusal> {
    let bytes = proven.bytes;
    let part = range.map(|range| range.of(bytes)).transpose();
    let part = part.map_err(|_| Refusal::Range(bytes))?;
    let (at, end) = part.unwrap_or((0, bytes));
    let body = if is_head || at == end {
        nothing()
    } else {
        let pieces = Pieces {
            opened: proven.opened,
            at,
            end,
            deadline,
        };
        let pieces = stream::try_unfold(pieces, Pieces::next);
        StreamBody::new(pieces).boxed_unsync()
    };
    let mut answer = Response::new(body);
    if part.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {at}-{}/{bytes}", end - 1);
        put(&mut answer, CONTENT_RANGE, &range);
    }
    put(&mut answer, CONTENT_TYPE, proven.media_type.as_str());
    put(&mut answer, CONTENT_LENGTH, &(end - at).to_string());
    put(&mut answer, CONTENT_DIGEST, &digest.to_string());
    put(&mut answer, ETAG, &tag(&digest));
    put(&mut answer, ACCEPT_RANGES, "bytes");
    Ok(answer)
}

/// What is left to send.
struct Pieces {
    opened: Opened,
    at: u64,
    end: u64,
    deadline: Instant,
}

impl Pieces {
    async fn next(self) -> Result<Option<(Frame<Bytes>, Self)>, BrokenOff> {
        if self.at >= self.end {
            return Ok(None);
        }
        let read = timeout_at(self.deadline, self.read()).await;
        let piece = read.map_err(|_| BrokenOff::Slow)??;
        let at = self.at + piece.len() as u64;
        Ok(Some((Frame::data(piece), Self { at, ..self })))
    }

    async fn read(&self) -> Result<Bytes, BrokenOff> {
        let piece = self.opened.piece(self.at, self.end, Bytes::from);
        let piece = piece.await.map_err(BrokenOff::Read)?;
        let is_last = self.end - self.at <= PIECE;
        if is_last && !self.opened.is_the_same().await.map_err(BrokenOff::Read)? {
            return Err(BrokenOff::Other);
        }
        Ok(piece)
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let mut answer = written(refusal.status(), refusal.body());
    match refusal {
        // Nobody reads what comes with such a request.
        Refusal::Method => {
            put(&mut answer, ALLOW, "GET, HEAD");
            put(&mut answer, CONNECTION, "close");
        }
        Refusal::Range(bytes) => put(&mut answer, CONTENT_RANGE, &format!("bytes */{bytes}")),
        _ => {}
    }
    answer
}

/// A header, if it can be one: everything that goes into them has been read into a type that can.
fn put(answer: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn written(status: StatusCode, json: String) -> Response<Body> {
    let body = Full::new(Bytes::from(json)).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    put(&mut answer, CONTENT_TYPE, "application/json");
    answer
}

fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
