//! `Dhcp4`: DHCP for IPv4 on a link.

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::yes;
use crate::document::{Kind, kind};
use crate::types::LinkName;

/// The metric of routes learned by DHCP: weaker than a route from a `Link` that names none.
pub const DEFAULT_DHCP4_METRIC: u32 = 1024;

/// Whether a link asks a DHCP server for an IPv4 address. Without this document a physical link
/// asks unless its `Link` document gives it addresses.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Dhcp4
/// name: eth0
/// enabled: true
/// metric: 512
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dhcp4Config {
    /// The link.
    pub name: LinkName,
    /// Whether to ask.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The metric of the routes learned; lower is preferred.
    #[serde(default = "default_metric")]
    pub metric: u32,
}

fn default_metric() -> u32 {
    DEFAULT_DHCP4_METRIC
}

impl Kind for Dhcp4Config {
    kind!(Dhcp4, name);
}
