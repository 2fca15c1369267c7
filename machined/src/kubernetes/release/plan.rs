//! From what is wanted, what has run and what API servers say, to what is run. Pure.

use std::fmt;

use ::config::skew::{self, Client, Release, Skew};
use serde::{Deserialize, Serialize};

/// What has run on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The newest that its API server has answered with: what is written for the cluster may be of that.
    pub served: Option<Release>,
    /// What its kubelet, controller manager and scheduler are.
    pub clients: Option<Release>,
}

/// A record as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Text {
    served: String,
    clients: String,
}

impl From<Text> for Record {
    fn from(text: Text) -> Self {
        Self {
            served: text.served.parse().ok(),
            clients: text.clients.parse().ok(),
        }
    }
}

impl From<Record> for Text {
    fn from(record: Record) -> Self {
        Self {
            served: told(record.served),
            clients: told(record.clients),
        }
    }
}

/// A version as resources have it.
pub(super) fn told(release: Option<Release>) -> String {
    release.map(|it| it.to_string()).unwrap_or_default()
}

/// An API server that programs of this node may come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub place: String,
    /// Whether it is this node's own.
    pub own: bool,
    /// What it said last that it is; nothing of one that answers, or was not asked yet, and has not said.
    pub release: Option<Release>,
}

/// What a plan follows from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the config asks for.
    pub wanted: Release,
    /// Whether the node has an API server.
    pub control_plane: bool,
    /// What has run here.
    pub record: Record,
    /// The API servers. One that does not answer and never has is none of them: nobody comes to it.
    pub servers: &'a [Server],
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The API server; none on workers, and where no one may begin.
    pub api_server: Option<Release>,
    /// Kubelet, controller manager and scheduler; none where no one may begin.
    pub clients: Option<Release>,
    /// Why something is not what is wanted.
    pub held: Option<Held>,
}

/// Why something is not what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The API server may not be that, whatever happens.
    Refused(Skew),
    /// Its clients may not be that until API servers are others.
    Waits(Skew),
    /// Nobody knows yet what the API server at this place is; empty: there is no place yet.
    Unknown(String),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(skew) | Self::Waits(skew) => skew.fmt(f),
            Self::Unknown(place) if place.is_empty() => {
                f.write_str("kubelet may not be newer than kube-apiserver: no API server has said yet what it is")
            }
            Self::Unknown(place) => write!(
                f,
                "kubelet may not be newer than kube-apiserver: the API server at {place} has not said yet what it is"
            ),
        }
    }
}

/// What is run.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Plan {
    let Facts { wanted, record, .. } = *facts;
    if let Err(skew) = api_server(facts) {
        return Plan {
            api_server: record.served,
            // They stay with the API server that stays.
            clients: record.clients.or(record.served),
            held: Some(Held::Refused(skew)),
        };
    }
    let api_server = facts.control_plane.then_some(wanted);
    let (clients, held) = match clients(facts) {
        Ok(()) => (Some(wanted), None),
        Err(held) => (record.clients, Some(held)),
    };
    Plan {
        api_server,
        clients,
        held,
    }
}

/// Whether the API server may be what is wanted.
fn api_server(facts: &Facts<'_>) -> Result<(), Skew> {
    if !facts.control_plane {
        return Ok(());
    }
    let others = facts.servers.iter().filter(|it| !it.own);
    let others: Vec<_> = others.filter_map(|it| it.release).collect();
    let from = facts.record.served.unwrap_or(facts.wanted);
    skew::follows(from, facts.wanted)?;
    skew::beside(facts.wanted, &others)
}

/// Whether those who ask API servers may be what is wanted.
fn clients(facts: &Facts<'_>) -> Result<(), Held> {
    let ran = facts.record.clients;
    if ran.is_some_and(|it| it.is_minor_of(facts.wanted)) {
        return Ok(());
    }
    let known: Vec<_> = facts.servers.iter().filter_map(|it| it.release).collect();
    let all = [
        Client::Kubelet,
        Client::ControllerManager,
        Client::Scheduler,
    ];
    // Workers have the first one alone.
    let there = if facts.control_plane {
        &all[..]
    } else {
        &all[..1]
    };
    for &client in there {
        skew::asks(client, facts.wanted, &known).map_err(Held::Waits)?;
    }
    if ran.is_some_and(|it| it > facts.wanted) {
        // An older one is newer than nobody.
        return Ok(());
    }
    // Somebody has to start an API server that has never run.
    let begins = facts.control_plane && ran.is_none();
    let mut silent = facts.servers.iter().filter(|it| it.release.is_none());
    match silent.find(|it| !(it.own && begins)) {
        Some(silent) => Err(Held::Unknown(silent.place.clone())),
        None if known.is_empty() && !begins => Err(Held::Unknown(String::new())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
