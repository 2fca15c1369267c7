//! An address to ask for the time.
//!
//! Written by machined in `network`, id: the address.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use store::Spec;

/// One address of a time server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "TimeServerSpecs.net.garboard",
    namespace = "network",
    columns(
        ("SERVER", "server"),
    )
)]
pub struct TimeServerSpec {
    /// Where to ask.
    #[field(1)]
    pub address: IpAddr,
    /// What the server was called by who named it: a name, or the address again.
    #[field(2)]
    pub server: String,
}

impl Default for TimeServerSpec {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::UNSPECIFIED.into(),
            server: String::new(),
        }
    }
}
