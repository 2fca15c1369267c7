//! Which status a refusal travels as, per method: independent clients tell refusals apart by these alone.

use store::CommitError;
use tonic::{Code, Status};

use super::convert::{ConvertError, QueryError};
use crate::error::report;

/// The methods that map refusals in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Create,
    Update,
    /// Destroy and both teardowns.
    Destroy,
}

pub(crate) fn refused(method: Method, error: &CommitError) -> Status {
    let code = match (method, error) {
        (_, CommitError::NotFound { .. }) => Code::NotFound,
        (_, CommitError::Owner { .. }) => Code::PermissionDenied,
        (Method::Update, CommitError::Phase { .. }) => Code::InvalidArgument,
        (Method::Create, error) if error.is_conflict() => Code::AlreadyExists,
        (_, error) if error.is_conflict() => Code::FailedPrecondition,
        _ => Code::Unknown,
    };
    Status::new(code, report(error))
}

/// A message that is not what it should be. On Update, clients read INVALID_ARGUMENT as a phase conflict.
pub(crate) fn malformed(method: Method, error: &ConvertError) -> Status {
    let code = match method {
        Method::Update => Code::Unknown,
        _ => Code::InvalidArgument,
    };
    Status::new(code, report(error))
}

pub(crate) fn bad_query(error: &QueryError) -> Status {
    let code = match error {
        QueryError::Pattern(_) => Code::InvalidArgument,
        QueryError::Operation(_) => Code::Unimplemented,
    };
    Status::new(code, report(error))
}
