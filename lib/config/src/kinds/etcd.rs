//! `Etcd`: how patient its members are, and how much they keep.

use std::ops::RangeInclusive;

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::document::{Kind, kind};
use crate::types::{Bytes, Period};

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

/// How etcd runs on a node of the control plane. A node without this document is one with an empty one.
///
/// The members of a cluster have the same times: one that is less patient than others looks for a leader while there is one. etcd
/// is started again when a field changes, so give a new value to one node after the other, and to the next when
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
/// ```
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
}

/// As an empty document.
impl Default for EtcdConfig {
    fn default() -> Self {
        Self {
            heartbeat: HEARTBEAT,
            election: ELECTION,
            quota: QUOTA,
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
