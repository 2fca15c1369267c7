//! `Time`: whose time the node goes by.

use std::collections::BTreeSet;

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::yes;
use crate::document::{Kind, kind};
use crate::types::Host;

/// The most servers. Four outvote one that is wrong (RFC 5905, appendix A.5.5.1); more than a handful only cost others.
const MAX_SERVERS: usize = 8;

/// The time servers that the node sets its clock by, with NTP. They replace those from DHCP, and the one asked when nobody names any,
/// `time.cloudflare.com`.
///
/// Name three or more that do not depend on each other: the clock then goes by what most of them say, and one that is wrong is left
/// out. Of two that disagree neither can be believed, and the clock is left alone. Do not mix servers that spread a leap second over
/// a day (Google's, Amazon's) with servers that do not. `osctl time` shows whom each node goes by, and how far it is off,
/// and with `--check` it fails where that is nobody.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Time
/// enabled: true
/// servers:
///   - 10.0.0.123
///   - ntp1.example.org
///   - ntp2.example.org
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeConfig {
    /// Whether anybody is asked. Without it the clock is the machine's own, as its firmware or its host keeps it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Names or addresses, up to eight. None: those from DHCP, else the default.
    #[serde(
        default,
        deserialize_with = "servers",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schema(most = MAX_SERVERS)]
    pub servers: Vec<Host>,
}

fn servers<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Host>, D::Error> {
    let servers = Vec::<Host>::deserialize(reader)?;
    if servers.len() > MAX_SERVERS {
        let count = servers.len();
        return Err(de::Error::custom(format!(
            "expected up to {MAX_SERVERS} servers, found {count}"
        )));
    }
    let mut seen = BTreeSet::new();
    // Named twice, it would have two votes.
    match servers.iter().find(|it| !seen.insert((*it).clone())) {
        Some(twice) => Err(de::Error::custom(format!("{twice} is there twice"))),
        None => Ok(servers),
    }
}

impl Kind for TimeConfig {
    kind!(Time);
}
