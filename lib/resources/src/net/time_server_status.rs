//! What a time server answers.
//!
//! Written by networkd in `network`, id: the address.
//!
//! A sample is what the server's clock showed at a moment of the hardware's own counter. It stays true when the node's clock is set
//! or corrected, so nobody has to tell anybody of that.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum, SpecMessage};

/// How a server treats us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TimeServerPhase {
    /// It was asked and may still answer.
    #[default]
    Asking = 0,
    /// It answered the last question.
    Answering = 1,
    /// It did not answer the last question, or not with a time; it is asked again, later each time.
    Silent = 2,
    /// It forbade us to ask, which we do no more.
    Denied = 3,
}

/// The leap second that a server announces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LeapSecond {
    /// None today.
    #[default]
    None = 0,
    /// The last minute of the day has 61 seconds.
    Insert = 1,
    /// It has 59.
    Delete = 2,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SpecMessage)]
#[serde(rename_all = "camelCase", default)]
pub struct TimeSample {
    /// What the server's clock showed, in nanoseconds since 1970.
    #[field(1)]
    pub server_nanos: i64,
    /// When, by the hardware's counter (`CLOCK_MONOTONIC_RAW`), in nanoseconds.
    #[field(2)]
    pub raw_nanos: u64,
    /// When, since boot with sleep (`CLOCK_BOOTTIME`), in nanoseconds.
    #[field(3)]
    pub boot_nanos: u64,
    /// How long question and answer were on their way together, in nanoseconds.
    #[field(4)]
    pub delay_nanos: u64,
    /// How far off the server's own clock may be by its own word, in nanoseconds.
    #[field(5)]
    pub distance_nanos: u64,
}

/// What one address answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "TimeServerStatuses.net.garboard",
    namespace = "network",
    aliases("timeserver", "timeservers"),
    columns(
        ("PHASE", "phase"),
        ("STRATUM", "stratum"),
        ("EVERY", "intervalSeconds"),
        ("ERROR", "error"),
    )
)]
pub struct TimeServerStatus {
    /// How it treats us.
    #[field(1)]
    pub phase: TimeServerPhase,
    /// How many clocks stand between it and a reference clock, itself included.
    #[field(2)]
    pub stratum: u32,
    /// What it goes by itself: `GPS`, or the address of another server.
    #[field(3)]
    pub reference: String,
    /// The leap second it announces.
    #[field(4)]
    pub leap: LeapSecond,
    /// How often it is asked, in seconds.
    #[field(5)]
    pub interval_seconds: u32,
    /// Questions without an answer since the last one.
    #[field(6)]
    pub unanswered: u32,
    /// What went wrong last, for a person; empty when nothing did.
    #[field(7)]
    pub error: String,
    /// The latest answers, the newest last.
    #[field(8)]
    pub samples: Vec<TimeSample>,
}
