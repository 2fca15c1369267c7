//! `Hostname`: the name of the node.

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::Hostname;

/// The name of the node, alone or with its domain. Stronger than a name from DHCP or the kernel
/// command line.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Hostname
/// hostname: node-1
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostnameConfig {
    /// The name.
    pub hostname: Hostname,
}

impl Kind for HostnameConfig {
    kind!(Hostname);
}
