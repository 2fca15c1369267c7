//! `Machine`: what the node is.

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};

/// What the node is.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Machine
/// role: control-plane
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineConfig {
    /// The part the node has in its cluster.
    pub role: Role,
}

/// The part a node has in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the cluster's control plane and issues its own certificates.
    ControlPlane,
    /// Runs workloads and holds no authority.
    Worker,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        })
    }
}

impl Kind for MachineConfig {
    kind!(Machine);
}
