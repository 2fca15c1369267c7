//! How far the node is with an end that was ordered: a restart, power off, or a reset.
//!
//! Written by machined in `runtime`, id `last`: of the order that was given last since machined started, also when it came to
//! nothing. While one is carried out, an order that comes after it takes its place.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// The id of the only resource of this type.
pub const LAST: &str = "last";

/// What was ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DepartureEnd {
    /// The machine starts again.
    #[default]
    Reboot = 0,
    /// It is powered off.
    Shutdown = 1,
    /// Its disk is emptied, and it starts again.
    Reset = 2,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DepartureState {
    /// Pods are asked to go elsewhere; left when none is left that could, or when time is up.
    #[default]
    Draining = 0,
    /// The node leaves etcd; left when it has, or cannot.
    LeavingEtcd = 1,
    /// The pods that are left end; left when they have, or when time is up.
    EndingPods = 2,
    /// Services end, and the machine with them; left by the kernel.
    Ending = 3,
    /// It came to nothing: the node stays.
    Failed = 4,
}

/// An end that was ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "Departures.runtime.garboard",
    namespace = "runtime",
    columns(
        ("END", "end"),
        ("STATE", "state"),
        ("WAITS", "waits"),
        ("REASON", "reason"),
    )
)]
pub struct Departure {
    /// What was ordered.
    #[field(1)]
    pub end: DepartureEnd,
    /// How far that is.
    #[field(2)]
    pub state: DepartureState,
    /// Who ordered it.
    #[field(3)]
    pub by: String,
    /// Pods that are waited for, as `NAMESPACE/NAME`, with what keeps one that does not go yet.
    #[field(4)]
    pub waits: Vec<String>,
    /// For how long at most, by the node's clock; absent when pods are not waited for.
    #[field(5)]
    pub until: Option<Timestamp>,
    /// What has become of the pods, or why the node stays, for a person; empty when there is nothing to say.
    #[field(6)]
    pub reason: String,
    /// Whether the node has cordoned itself, which it takes back at its next start.
    #[field(7)]
    pub cordoned: bool,
}

impl Departure {
    /// Whether the node is on its way.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.state != DepartureState::Failed
    }
}
