//! A snapshot of etcd that the node has taken by itself and keeps on its disk.
//!
//! Written by machined in `kubernetes`, id: its name, `NUMBER-TIME`. The one with the highest number is the newest, whatever the clock
//! was.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "EtcdSnapshots.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("etcdsnapshot", "etcdsnapshots"),
    columns(
        ("SIZE", "bytes"),
        ("REVISION", "revision"),
        ("VERSION", "version"),
        ("PROBLEM", "problem"),
    )
)]
pub struct EtcdSnapshot {
    /// When it was taken, as the clock of the node had it.
    #[field(1)]
    pub taken: String,
    /// How long the file is, with its sum.
    #[field(2)]
    pub bytes: u64,
    /// The last revision that is in it.
    #[field(3)]
    pub revision: u64,
    /// The version of etcd that it is of, major and minor; empty of 3.5 and older, which do not say.
    #[field(4)]
    pub version: String,
    /// The SHA-256 of the data, which stands behind it.
    #[field(5)]
    pub sha256: String,
    /// Why it cannot be read; empty when it can.
    #[field(6)]
    pub problem: String,
}
