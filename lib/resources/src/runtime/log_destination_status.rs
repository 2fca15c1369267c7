//! How it stands with a place where the node's logs are sent.
//!
//! Written by machined in `runtime`, id: the name of their document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// Whether lines get through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogDestinationState {
    /// It is being looked up or called, for the first time.
    #[default]
    Connecting = 0,
    /// Lines go there; whether they arrive UDP does not tell.
    Connected = 1,
    /// It was not reached, or the connection broke; it is tried again.
    Failed = 2,
}

/// One destination. The counts are since machined started or the document changed, and a few seconds old.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "LogDestinationStatuses.runtime.garboard",
    namespace = "runtime",
    aliases("logdestination", "logdestinations"),
    columns(
        ("STATE", "state"),
        ("SINCE", "since"),
        ("SENT", "sent"),
        ("LOST", "lost"),
        ("ERROR", "error"),
    )
)]
pub struct LogDestinationStatus {
    /// Whether lines get through.
    #[field(1)]
    pub state: LogDestinationState,
    /// Since when it is so.
    #[field(2)]
    pub since: Option<Timestamp>,
    /// Lines that were sent.
    #[field(3)]
    pub sent: u64,
    /// Lines that were not, as there was no room for them to wait. A part of a service's log that was gone before it was read counts
    /// as one.
    #[field(4)]
    pub lost: u64,
    /// What went wrong last, for a person; empty while connected.
    #[field(5)]
    pub error: String,
}
