//! `Etcd`: how patient its members are, how much they keep, and which copies of that stay on the node.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::document::{Kind, kind};
use crate::types::{Bytes, Period, TimeOfDay};

/// How often a leader shows that it is there, when nobody says otherwise. etcd's own 100 ms are for machines that are never
/// late; one that is emulated, or waits for a slow disk, is late by more than that.
const HEARTBEAT: Period = Period::milliseconds(300);
/// Shorter ones than the time between two nodes of one building do nothing but work. The longest is a tenth of etcd's longest
/// election.
const HEARTBEATS: RangeInclusive<Period> = Period::milliseconds(10)..=Period::milliseconds(5_000);

/// After how much silence another leader is looked for, likewise: ten heartbeats, as etcd's documentation has it.
const ELECTION: Period = Period::milliseconds(3_000);
/// Five of the shortest heartbeats, to what etcd takes at most (`maxElectionMs`).
const ELECTIONS: RangeInclusive<Period> = Period::milliseconds(50)..=Period::milliseconds(50_000);

/// etcd refuses fewer heartbeats in an election than this (`embed/config.go`).
pub(crate) const LEAST_HEARTBEATS: u64 = 5;
/// Its documentation asks for so many, since one that is lost or late is nothing.
const GOOD_HEARTBEATS: u64 = 10;

/// How much a member keeps when nobody says otherwise, which is etcd's own (`DefaultQuotaBytes`).
const QUOTA: Bytes = Bytes::mebi(2 * 1024);
/// The objects that a new cluster has by itself take a tenth of the least. A member with more than the most takes longer to copy
/// than the others can do without it.
const QUOTAS: RangeInclusive<Bytes> = Bytes::mebi(32)..=Bytes::mebi(32 * 1024);
/// etcd advises against more (`MaxQuotaBytes`).
const GOOD_QUOTA: Bytes = Bytes::mebi(8 * 1024);

/// How many snapshots stay when nobody says how many.
const KEEP: u32 = 7;
const FEWEST: u32 = 1;
/// One an hour for six weeks.
const MOST: u32 = 1000;

/// What of the disk snapshots leave to others when nobody says otherwise: images, logs and what pods write.
const LEAVE_FREE: Bytes = Bytes::mebi(2 * 1024);

/// The shortest and the longest time between two snapshots: five minutes to a leap year.
const EVERY: RangeInclusive<Period> =
    Period::milliseconds(5 * 60_000)..=Period::milliseconds(366 * 24 * 3_600_000);
/// The most times of a day: one an hour, and as many again; what is to come more often comes `every` so often.
const MOST_TIMES: usize = 48;

/// How etcd runs on a node of the control plane, and which snapshots of it stay there. A node without this document is one with an
/// empty one.
///
/// The members of a cluster have the same times: one that is less patient than others looks for a leader while there is one. etcd
/// is started again when one of the first three fields changes, so give a new value to one node after the other, and to the next when
/// `osctl etcd status` shows the member again.
///
/// On a machine where all is late, Kubernetes is as well: its controller manager and its scheduler get as much more time to show that they
/// lead as `election` is longer than 3s.
///
/// etcd's own times, `heartbeat: 100ms` and `election: 1s`, suit machines with fast disks of their own in one building: after a
/// leader is lost, a cluster stands still for an election. Between sites a heartbeat is at least the time to the other one and back,
/// and an election at least ten of those.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Etcd
/// heartbeat: 300ms
/// election: 3s
/// quota: 2Gi
/// snapshots:
///   every: 6h
///   keep: 28
///   leaveFree: 2Gi
/// ```
///
/// At times of the day instead, in UTC: `at: [02:30, 14:30]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdConfig {
    /// How often a leader shows that it is there, 10ms to 5s.
    #[serde(default = "heartbeat", deserialize_with = "heartbeats")]
    pub heartbeat: Period,
    /// After how much silence another leader is looked for, up to 50s: five heartbeats at least, and better ten.
    #[serde(default = "election", deserialize_with = "elections")]
    pub election: Period,
    /// How long the file of data may become, 32Mi to 32Gi; then nothing more is written until somebody makes room. etcd advises
    /// against more than 8Gi.
    #[serde(default = "quota", deserialize_with = "quotas")]
    pub quota: Bytes,
    /// Snapshots that the node takes by itself and keeps on its disk. Left out, it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<EtcdSnapshotsConfig>,
}

/// Snapshots that a node takes and keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdSnapshotsConfig {
    /// How much time lies between two, 5m to a year. It goes by the last one that is kept, not by when the node was started.
    #[serde(
        default,
        deserialize_with = "every",
        skip_serializing_if = "Option::is_none"
    )]
    pub every: Option<Period>,
    /// Or at which times of the day one is taken, in UTC. What was missed while the node was down is made up for with one.
    #[serde(
        default,
        deserialize_with = "at",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schema(most = MOST_TIMES)]
    pub at: Vec<TimeOfDay>,
    /// How many are kept, 1 to 1000; the oldest goes when a new one is whole.
    #[serde(default = "keep")]
    pub keep: SnapshotCount,
    /// What is left of the disk to others: no snapshot is taken that would leave less.
    #[serde(default = "leave_free")]
    pub leave_free: Bytes,
}

/// How many snapshots are kept, 1 to 1000.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Schema,
)]
#[serde(try_from = "i64", into = "u32")]
#[schema(integer, least = FEWEST, most = MOST)]
pub struct SnapshotCount(u32);

/// Why a number is none of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{FEWEST} to {MOST} snapshots are kept, not {0}")]
pub struct SnapshotCountError(i64);

impl SnapshotCount {
    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

/// For numbers as they are written, which may be anything.
impl TryFrom<i64> for SnapshotCount {
    type Error = SnapshotCountError;

    fn try_from(count: i64) -> Result<Self, SnapshotCountError> {
        let bounds = FEWEST..=MOST;
        let fits = u32::try_from(count).ok().filter(|it| bounds.contains(it));
        fits.map(Self).ok_or(SnapshotCountError(count))
    }
}

impl From<SnapshotCount> for u32 {
    fn from(count: SnapshotCount) -> Self {
        count.0
    }
}

/// As an empty document.
impl Default for EtcdConfig {
    fn default() -> Self {
        Self {
            heartbeat: HEARTBEAT,
            election: ELECTION,
            quota: QUOTA,
            snapshots: None,
        }
    }
}

impl EtcdConfig {
    /// The longest file of data that any config allows.
    pub const LARGEST_QUOTA: Bytes = *QUOTAS.end();

    /// With a heartbeat near this one and ten of them as the time of an election: the next that etcd takes, and none below what
    /// a node has when nobody says otherwise.
    #[must_use]
    pub fn with_heartbeat(near: Period) -> Self {
        let heartbeat = near.clamp(HEARTBEAT, *HEARTBEATS.end());
        Self {
            heartbeat,
            election: Period::milliseconds(heartbeat.as_milliseconds() * GOOD_HEARTBEATS),
            ..Self::default()
        }
    }

    /// What an operator should know of values that are taken all the same.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let Self {
            heartbeat,
            election,
            quota,
            ..
        } = self;
        let mut advice = Vec::new();
        let good = heartbeat.as_milliseconds().saturating_mul(GOOD_HEARTBEATS);
        if election.as_milliseconds() < good {
            let good = Period::milliseconds(good);
            advice.push(format!(
                "Etcd has an election of {election}, less than ten of its heartbeats ({good}): a leader that is a little late is lost"
            ));
        }
        if *quota > GOOD_QUOTA {
            advice.push(format!(
                "Etcd has a quota of {quota}, and etcd advises against more than {GOOD_QUOTA}: a member needs as much memory to be fast, and long to start, to join and to be copied"
            ));
        }
        advice
    }
}

fn heartbeat() -> Period {
    HEARTBEAT
}

fn election() -> Period {
    ELECTION
}

fn quota() -> Bytes {
    QUOTA
}

fn keep() -> SnapshotCount {
    SnapshotCount(KEEP)
}

fn leave_free() -> Bytes {
    LEAVE_FREE
}

/// What lies within bounds.
fn within<'de, T, D>(reader: D, what: &str, bounds: &RangeInclusive<T>) -> Result<T, D::Error>
where
    T: Deserialize<'de> + PartialOrd + std::fmt::Display,
    D: Deserializer<'de>,
{
    let value = T::deserialize(reader)?;
    if bounds.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (bounds.start(), bounds.end());
    Err(de::Error::custom(format!(
        "{what} is from {least} to {most}, not {value}"
    )))
}

fn heartbeats<'de, D: Deserializer<'de>>(reader: D) -> Result<Period, D::Error> {
    within(reader, "a heartbeat", &HEARTBEATS)
}

fn elections<'de, D: Deserializer<'de>>(reader: D) -> Result<Period, D::Error> {
    within(reader, "the time of an election", &ELECTIONS)
}

fn quotas<'de, D: Deserializer<'de>>(reader: D) -> Result<Bytes, D::Error> {
    within(reader, "a quota", &QUOTAS)
}

fn every<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Period>, D::Error> {
    within(reader, "the time between two snapshots", &EVERY).map(Some)
}

fn at<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<TimeOfDay>, D::Error> {
    let times = Vec::<TimeOfDay>::deserialize(reader)?;
    if times.len() > MOST_TIMES {
        let count = times.len();
        return Err(de::Error::custom(format!(
            "expected up to {MOST_TIMES} times of a day, found {count}; `every` takes one every so often"
        )));
    }
    let mut seen = BTreeSet::new();
    match times.iter().find(|it| !seen.insert(**it)) {
        Some(twice) => Err(de::Error::custom(format!("{twice} is there twice"))),
        None => Ok(times),
    }
}

impl Kind for EtcdConfig {
    kind!(Etcd);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_the_default() {
        let text = "apiVersion: garboard/v1alpha1\nkind: Etcd\n";
        let documents = crate::parse("test", text.as_bytes()).unwrap();
        assert_eq!(documents.etcd(), Some(&EtcdConfig::default()));
        assert_eq!(EtcdConfig::default().advice(), [""; 0]);
    }

    #[test]
    fn what_etcd_advises_against_is_told() {
        let mut etcd = EtcdConfig {
            election: "2900ms".parse().unwrap(),
            quota: "9Gi".parse().unwrap(),
            ..EtcdConfig::default()
        };
        let advice = etcd.advice();
        assert_eq!(advice.len(), 2, "{advice:?}");
        assert!(advice[0].contains("(3s)"), "{advice:?}");
        assert!(advice[1].contains("8Gi"), "{advice:?}");
        (etcd.election, etcd.quota) = (ELECTION, GOOD_QUOTA);
        assert_eq!(etcd.advice(), [""; 0]);
    }

    #[test]
    fn a_heartbeat_brings_its_election_along() {
        for (near, heartbeat, election) in [
            ("10ms", "300ms", "3s"),
            ("800ms", "800ms", "8s"),
            ("1h", "5s", "50s"),
        ] {
            let etcd = EtcdConfig::with_heartbeat(near.parse().unwrap());
            let (is, elects) = (etcd.heartbeat.to_string(), etcd.election.to_string());
            assert_eq!((is.as_str(), elects.as_str()), (heartbeat, election));
            assert!(ELECTIONS.contains(&etcd.election));
            assert_eq!(etcd.advice(), [""; 0]);
        }
    }
}
