//! How etcd is to run on a node of the control plane.
//!
//! Written by machined in `kubernetes`, id `etcd`. A worker has none.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const ETCD: &str = "etcd";

/// One member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "EtcdSpecs.kubernetes.garboard",
    namespace = "kubernetes",
    columns(
        ("HEARTBEAT", "heartbeatMs"),
        ("ELECTION", "electionMs"),
        ("QUOTA", "quotaBytes"),
        ("SNAPSHOTS", "snapshotsKept"),
    )
)]
pub struct EtcdSpec {
    /// How often a leader shows that it is there, in milliseconds.
    #[field(1)]
    pub heartbeat_ms: u64,
    /// After how much silence another one is looked for, in milliseconds.
    #[field(2)]
    pub election_ms: u64,
    /// How long the file of data may become.
    #[field(3)]
    pub quota_bytes: u64,
    /// How many seconds after the last one the next snapshot is taken that the node keeps; 0 when it does not go by that.
    #[field(4)]
    pub snapshot_seconds: u64,
    /// Or at which minutes of every day, in UTC. With neither none is taken.
    #[field(5)]
    pub snapshot_minutes: Vec<u32>,
    /// How many of them are kept.
    #[field(6)]
    pub snapshots_kept: u32,
    /// How many bytes of the disk they leave to others.
    #[field(7)]
    pub snapshots_leave: u64,
}
