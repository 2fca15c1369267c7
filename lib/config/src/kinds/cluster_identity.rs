//! `ClusterIdentity`: which cluster the node is of.

use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::{DocumentName, as_text};

/// 128 bits in hexadecimal: no two clusters ever get the same.
const DIGITS: usize = 32;

/// Which cluster the node is of.
///
/// `osctl gen secrets` makes the id with the secrets of a cluster, and `osctl gen config` writes both into the config of every node of
/// it. A node refuses the config of another cluster unless `--force` is said. Its console and `osctl version` show the name of its
/// cluster, `osctl get clusterinfo` the id as well.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: ClusterIdentity
/// cluster: production
/// id: 6f1c0a52e8b94d7f3a2b9c1d4e5f6071
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterIdentityConfig {
    /// What people call the cluster.
    pub cluster: DocumentName,
    /// What tells it from all other clusters, also from those of the same name. It is no secret and never changes.
    pub id: ClusterId,
}

impl Kind for ClusterIdentityConfig {
    kind!(ClusterIdentity);
}

/// The id of a cluster: 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct ClusterId(String);

/// A text is no id of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a cluster is {DIGITS} digits of 0-9 and a-f, as `osctl gen secrets` made it")]
pub struct ClusterIdError;

impl ClusterId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterId {
    type Err = ClusterIdError;

    fn from_str(text: &str) -> Result<Self, ClusterIdError> {
        let digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != DIGITS || !text.bytes().all(digit) {
            return Err(ClusterIdError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(ClusterId);
