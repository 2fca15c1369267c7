//! What is answered to those who get nothing, in the words of the OCI distribution specification.

use http::StatusCode;
use serde_json::json;
use thiserror::Error;

use super::super::reference::ReferenceError;

/// Why a request gets nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Another method than GET and HEAD.
    #[error("this registry is for reading alone: use GET or HEAD")]
    Method,
    /// No path of the protocol that pulling needs.
    #[error("this registry has /v2/, /v2/NAME/manifests/TAG-OR-DIGEST and /v2/NAME/blobs/DIGEST")]
    Path,
    /// The registry or the repository.
    #[error("this is not the name of a repository")]
    Name(#[source] ReferenceError),
    /// The tag or the digest.
    #[error("this is not what an image is called")]
    Wanted(#[source] ReferenceError),
    /// A tag without a registry.
    #[error("whose {0} is asked for? Say so with ?ns=, such as ?ns=registry.k8s.io")]
    Whose(String),
    /// No image of that repository.
    #[error("no image of {0} came with this node")]
    Repository(String),
    /// None that is called so.
    #[error("{0} did not come with this node")]
    Manifest(String),
    /// No such content.
    #[error("{0} did not come with this node")]
    Blob(String),
    /// Content of which every copy is spoilt.
    #[error(
        "{0} came with this node, and every copy is damaged; `osctl get imagecache -o yaml` says where"
    )]
    Damaged(String),
    /// The range is beyond the end of so many bytes.
    #[error("it has {0} bytes, and those asked for are beyond")]
    Range(u64),
    /// It took too long.
    #[error("what it is on takes too long to read; `osctl logs machined` may say why")]
    Slow,
}

impl Refusal {
    /// The status of HTTP. What is not here is 404, so that the next registry is asked for it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Name(_) | Self::Wanted(_) | Self::Whose(_) => StatusCode::BAD_REQUEST,
            Self::Path
            | Self::Repository(_)
            | Self::Manifest(_)
            | Self::Blob(_)
            | Self::Damaged(_) => StatusCode::NOT_FOUND,
            Self::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Slow => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The word that the specification has for it.
    fn code(&self) -> &'static str {
        match self {
            Self::Method | Self::Path => "UNSUPPORTED",
            Self::Name(_) | Self::Whose(_) => "NAME_INVALID",
            Self::Wanted(ReferenceError::Digest(_)) => "DIGEST_INVALID",
            Self::Wanted(_) => "MANIFEST_INVALID",
            Self::Repository(_) => "NAME_UNKNOWN",
            Self::Manifest(_) => "MANIFEST_UNKNOWN",
            Self::Blob(_) | Self::Damaged(_) | Self::Slow => "BLOB_UNKNOWN",
            Self::Range(_) => "SIZE_INVALID",
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> String {
        let error = json!({"code": self.code(), "message": cosi::report(self)});
        json!({ "errors": [error] }).to_string()
    }
}
