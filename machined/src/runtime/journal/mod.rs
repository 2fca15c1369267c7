//! Logs on disk: what services and the kernel say, of this boot and the ones before, and how those ended.
//!
//! The logs in memory stay what is read and followed; they are copied from, each to files that are named after the place in
//! the log at which they begin. So the place to go on at is always the end of the last file: nothing else has to be noted,
//! and it does not matter at which line this process is killed or the power is cut. A disk that is full, slow or gone
//! costs lines on disk and nothing else.

mod boots;
mod copy;
mod kernel;
mod previous;
mod rotate;
mod segments;
pub mod task;

pub use boots::{Boot, Boots};
pub use copy::KERNEL;
pub use previous::Previous;
pub use task::Journal;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Where logs are kept, below the mounted EPHEMERAL.
pub const FOLDER: &str = "log/garboard";

/// Why a log on disk could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A file or folder.
    #[error("{0}")]
    File(PathBuf, #[source] io::Error),
    /// The kernel's log.
    #[error("the kernel's log")]
    Kernel(#[source] super::kmsg::KmsgError),
    /// The log in memory.
    #[error("the log in memory")]
    Memory(#[source] super::logs::LogError),
    /// Where logs are kept is not mounted, or not yet.
    #[error(
        "what is kept of former boots is on EPHEMERAL, which is not mounted; `osctl volumes` shows what it waits for"
    )]
    NoPlace,
    /// No boot before this one is known.
    #[error("nothing is kept of a boot before this one: it is the first with this disk")]
    NoFormer,
    /// There is no such log.
    #[error("boot {boot} has no log of {name:?}; there are: {known}")]
    Unknown {
        /// The number of the boot.
        boot: u64,
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
}

impl JournalError {
    /// Names the file that an error is about.
    fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::File(path.into(), error)
    }
}

#[cfg(test)]
mod tests;
