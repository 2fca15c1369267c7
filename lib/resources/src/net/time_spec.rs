//! Whose time the node goes by.
//!
//! Layered in `network-config` (any id), merged in `network` (id `time`).

use serde::{Deserialize, Serialize};
use store::Spec;

use super::ConfigLayer;

/// The id of the merged spec.
pub const TIME: &str = "time";

/// The time servers one source wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "TimeSpecs.net.garboard",
    namespace = "network",
    columns(
        ("SERVERS", "servers"),
        ("ENABLED", "enabled"),
        ("LAYER", "layer"),
    )
)]
pub struct TimeSpec {
    /// Names or addresses; none: those of a weaker source.
    #[field(1)]
    pub servers: Vec<String>,
    /// Whether anybody is asked at all.
    #[field(2)]
    pub enabled: bool,
    /// Where this wish comes from.
    #[field(3)]
    pub layer: ConfigLayer,
}
