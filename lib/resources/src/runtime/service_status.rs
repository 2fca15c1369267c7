//! How a service is doing.
//!
//! Written by machined in `runtime`, id: the service's name. The daemons themselves are among them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// Where a service is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Not started yet; what it waits for is in the reason.
    #[default]
    Waiting = 0,
    /// Its process runs.
    Running = 1,
    /// It ended and is started again after a pause.
    Restarting = 2,
    /// It ended as it should.
    Finished = 3,
    /// It ended with a failure, or cannot be started as it is described, and is left alone.
    Failed = 4,
    /// Its process runs, and has not been found well yet.
    Starting = 5,
    /// It was asked to end, and has not.
    Stopping = 6,
    /// It was stopped by order and stays so until it is started by order, or the machine starts again.
    Stopped = 7,
}

/// What is known of a service's health.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing checks it, or not yet.
    #[default]
    Unknown = 0,
    /// The last check passed.
    Healthy = 1,
    /// The last check failed; the reason says how.
    Unhealthy = 2,
}

/// The observed state of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "Services.runtime.garboard",
    namespace = "runtime",
    aliases("svc"),
    columns(
        ("STATE", "state"),
        ("HEALTH", "health"),
        ("RESTARTS", "restarts"),
        ("REASON", "reason"),
    )
)]
pub struct ServiceStatus {
    /// Where it is.
    #[field(1)]
    pub state: ServiceState,
    /// What is known of its health.
    #[field(2)]
    pub health: Health,
    /// Its process; 0 when there is none.
    #[field(3)]
    pub pid: u32,
    /// How often it was started again.
    #[field(4)]
    pub restarts: u32,
    /// Why it is where it is, for a person.
    #[field(5)]
    pub reason: String,
    /// Since when it is in this state.
    #[field(6)]
    pub since: Timestamp,
    /// How its last process ended; empty when none has, or nobody knows of it.
    #[field(7)]
    pub last_exit: String,
    /// What it waits for: services, conditions.
    #[field(8)]
    pub waits_for: Vec<String>,
    /// The image that it runs from, as its spec has it; empty when it runs from none, or does not run.
    #[field(9)]
    pub image: String,
    /// Which one that is: the digest of its manifest, or of its config where containerd knows no other.
    #[field(10)]
    pub image_digest: String,
}
