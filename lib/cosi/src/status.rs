//! What a runtime says of itself: whether it has come to rest, and how each controller's last run ended.
//!
//! Both live in namespace `runtime`, are owned by the runtime that writes them, and are named after the runtime and the
//! controller. They answer "why did nothing happen" without a log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::Spec;

/// The namespace of both.
pub const NAMESPACE: &str = "runtime";

/// Whether a runtime has come to rest since it started.
///
/// Absence is proof of nothing until `settled`: an applier removes only after that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(type = "RuntimeStatuses.runtime.garboard", namespace = "runtime", columns(("EPOCH", "epoch"), ("SETTLED", "settled")))]
pub struct RuntimeStatus {
    /// The epoch of the store it works on: another number after every start of the process that holds the store.
    #[field(1)]
    pub epoch: u64,
    /// Every controller has run in this epoch and, once at least, none had anything left to do.
    #[field(2)]
    pub settled: bool,
}

/// How a controller's last run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, store::SpecEnum)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// Nothing left to do until an input changes.
    #[default]
    Done = 0,
    /// Waiting for something named in `waitingOn`.
    Waiting = 1,
    /// Failed; it is retried.
    Failed = 2,
}

/// How a controller is doing. Written when that changes or when a run wrote something, not after every run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(type = "ControllerStatuses.runtime.garboard", namespace = "runtime", columns(("STATE", "state"), ("RUNS", "runs"), ("RETRIES", "retries"), ("WAITING-ON", "waitingOn"), ("ERROR", "error")))]
pub struct ControllerStatus {
    /// The runtime it belongs to.
    #[field(1)]
    pub runtime: String,
    /// How the last run ended.
    #[field(2)]
    pub state: RunState,
    /// When it ended.
    #[field(3)]
    pub last_run: Timestamp,
    /// How many runs there were by then.
    #[field(4)]
    pub runs: u64,
    /// How many runs in a row have failed.
    #[field(5)]
    pub retries: u32,
    /// The last error, as long as it lasts.
    #[field(6)]
    pub error: String,
    /// What it waits for.
    #[field(7)]
    pub waiting_on: String,
    /// What caused the run: a key, `trigger`, `requeue` or `all`.
    #[field(8)]
    pub cause: String,
}
