//! What the node measures of itself, for monitoring: OpenMetrics at `/metrics`.
//!
//! Numbers come from the state and from `/proc` when they are asked for; only calls and runs are counted as they happen.
//! Labels are names of ours, never what a caller sent, so nobody can make the page grow. docs/metrics.md lists all
//! families and is generated.

mod calls;
mod exposition;
mod facts;
mod processes;

use std::fmt;

use cosi::Counters;
use jiff::Timestamp;
use store::Store;

pub use calls::Calls;

/// The numbers could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The text could not be written.
    #[error("write the metrics as text")]
    Write(#[source] fmt::Error),
    /// The thread that reads was lost.
    #[error("a thread to read with")]
    Thread(#[source] tokio::task::JoinError),
}

/// Where the numbers come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    store: Store,
    controllers: Counters,
    calls: Calls,
}

impl Metrics {
    /// The numbers of a node with this state, these controllers and these calls.
    #[must_use]
    pub fn new(store: Store, controllers: Counters, calls: Calls) -> Self {
        Self {
            store,
            controllers,
            calls,
        }
    }

    /// Everything as it is now, in OpenMetrics' text format. Cancelling it changes nothing.
    ///
    /// # Errors
    /// When the text cannot be made.
    pub async fn text(&self) -> Result<String, MetricsError> {
        let this = self.clone();
        // The kernel walks every page of a process for its memory.
        let read = tokio::task::spawn_blocking(move || {
            let facts = facts::read(&this.store, &this.controllers, Timestamp::now());
            exposition::text(facts, &this.calls)
        });
        let text = read.await.map_err(MetricsError::Thread)?;
        text.map_err(MetricsError::Write)
    }
}
