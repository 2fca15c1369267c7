//! Whether the node's clock is right, and by whose word.
//!
//! Written by machined in `network`, id `clock`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const CLOCK: &str = "clock";

/// The state of the node's clock, as of the last look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "TimeStatuses.net.garboard",
    namespace = "network",
    aliases("time"),
    columns(
        ("IN SYNC", "synchronized"),
        ("SERVER", "server"),
        ("STRATUM", "stratum"),
        ("OFFSET", "offsetNanos"),
        ("REASON", "reason"),
    )
)]
pub struct TimeStatus {
    /// Whether somebody vouches for the clock.
    #[field(1)]
    pub synchronized: bool,
    /// Since when, as far as machined has watched.
    #[field(2)]
    pub since: Option<Timestamp>,
    /// The best of the servers that the clock goes by.
    #[field(3)]
    pub server: String,
    /// The address it was asked at.
    #[field(4)]
    pub address: String,
    /// How many clocks stand between the node's own and a reference clock, itself included; 0 when it goes by nobody's.
    #[field(5)]
    pub stratum: u32,
    /// By how much the clock was behind the servers at the last look, in nanoseconds; it is being made up.
    #[field(6)]
    pub offset_nanos: i64,
    /// How far the offset may be off itself, in nanoseconds.
    #[field(7)]
    pub error_nanos: u64,
    /// How many servers agree.
    #[field(8)]
    pub agreeing: u32,
    /// How many of the servers answer.
    #[field(9)]
    pub answering: u32,
    /// By how much the hardware's counter is made to run faster, in parts per billion.
    #[field(10)]
    pub frequency_ppb: i64,
    /// How often the clock was moved at once, since machined started.
    #[field(11)]
    pub steps: u32,
    /// Why nobody vouches for the clock, for a person; empty when somebody does.
    #[field(12)]
    pub reason: String,
}
