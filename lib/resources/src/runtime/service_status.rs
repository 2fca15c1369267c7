//! How a service is doing.
//!
//! Written by machined in `runtime`, id: the service's name. The daemons themselves are among them.

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
    /// It failed too often and is left alone.
    Failed = 4,
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
#[serde(rename_all = "camelCase")]
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
}
