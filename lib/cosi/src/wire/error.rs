//! Why a call of the client failed: the server's refusals told apart again.

use store::Reference;
use tonic::{Code, Status};

use super::convert::ConvertError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no such resource.
    #[error("{0} does not exist")]
    NotFound(Reference),
    /// The id is taken.
    #[error("{0} exists already")]
    Exists(Reference),
    /// Someone else owns it, or the call is not allowed; the wire does not tell the two apart.
    #[error("{reference} may not be written: {reason}")]
    Owner {
        /// The resource.
        reference: Reference,
        /// What the server said.
        reason: String,
    },
    /// It is in another phase than expected.
    #[error("{reference} is in another phase: {reason}")]
    Phase {
        /// The resource.
        reference: Reference,
        /// What the server said.
        reason: String,
    },
    /// It was written since it was read, or something holds it.
    #[error("{reference} has moved on: {reason}")]
    Conflict {
        /// The resource.
        reference: Reference,
        /// What the server said.
        reason: String,
    },
    /// The place to resume the watch from is not known (any more).
    #[error("the watch cannot be resumed: {0}")]
    InvalidBookmark(String),
    /// Anything else the server or the channel said.
    #[error("{method} failed")]
    Call {
        /// The method.
        method: &'static str,
        /// What was said.
        #[source]
        status: Box<Status>,
    },
    /// The answer is not a resource.
    #[error("malformed answer")]
    Malformed(#[source] ConvertError),
    /// The resource is of another type than was asked for.
    #[error("{0} is not of the type asked for")]
    Type(Reference),
}

impl ClientError {
    /// Whether reading again and trying again may succeed.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(
            self,
            Self::NotFound(_) | Self::Exists(_) | Self::Phase { .. } | Self::Conflict { .. }
        )
    }

    /// Whether the server did not answer at all.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Call { status, .. }
            if matches!(status.code(), Code::Unavailable | Code::Cancelled))
    }
}

/// What the channel or the server said, for want of a better word.
pub(super) fn called(method: &'static str, status: Status) -> ClientError {
    ClientError::Call {
        method,
        status: Box::new(status),
    }
}

/// The refusal a status stands for, per method.
pub(super) fn told(method: &'static str, reference: &Reference, status: Status) -> ClientError {
    let (reference, reason) = (reference.clone(), status.message().to_owned());
    match (method, status.code()) {
        (_, Code::NotFound) => ClientError::NotFound(reference),
        ("create", Code::AlreadyExists) => ClientError::Exists(reference),
        ("create" | "update" | "destroy" | "teardown", Code::PermissionDenied) => {
            ClientError::Owner { reference, reason }
        }
        ("update", Code::InvalidArgument) => ClientError::Phase { reference, reason },
        ("update" | "destroy" | "teardown", Code::FailedPrecondition) => {
            ClientError::Conflict { reference, reason }
        }
        _ => called(method, status),
    }
}
