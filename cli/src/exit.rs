//! How osctl ends when it is not simply well or badly.

use thiserror::Error;

/// The arguments do not fit together, or do not fit the context.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(String);

/// Makes an error of wrong usage.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    WrongUsage(message.into()).into()
}

/// Somebody pressed ctrl-C in the middle of something that leaves something behind.
#[derive(Debug, Error)]
#[error("interrupted; {0}")]
pub(crate) struct Interrupted(pub(crate) String);

/// All is well, and what was asked about would change something.
#[derive(Debug, Error)]
#[error("there are changes")]
pub(crate) struct Changes;
