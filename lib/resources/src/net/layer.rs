//! Which source a layered network spec came from, and so which of two wins.
//!
//! Owns the order of the layers. Never merges anything: that is the daemon's.

use serde::{Deserialize, Serialize};
use store::SpecEnum;

/// The source of a layered spec; a later one wins over an earlier one.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    SpecEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigLayer {
    /// What a node does when nobody said anything.
    #[default]
    Default = 0,
    /// The kernel command line.
    CommandLine = 1,
    /// The platform the node runs on.
    Platform = 2,
    /// A protocol on the wire, such as DHCP.
    Operator = 3,
    /// The machine config.
    Config = 4,
}
