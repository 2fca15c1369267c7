//! What etcd says, in types that cannot be wrong.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::wire;

/// What etcd calls a member, or a cluster: shown as it is in etcd's own logs, in hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// A member of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub id: Id,
    /// Its name, which is its node's. Empty until it has started for the first time.
    pub name: String,
    /// Where the others reach it.
    pub peer_urls: Vec<String>,
    /// Where its clients reach it. None until it has started for the first time.
    pub client_urls: Vec<String>,
    /// Whether it only listens: it has no vote until it is promoted.
    pub learner: bool,
}

impl Member {
    /// Whether it has ever run as this member.
    #[must_use]
    pub fn has_started(&self) -> bool {
        !self.name.is_empty()
    }

    /// Where it answers, as far as that are addresses.
    pub fn clients(&self) -> impl Iterator<Item = SocketAddr> {
        let urls = self.client_urls.iter();
        urls.filter_map(|url| url.strip_prefix("https://")?.parse().ok())
    }
}

impl From<wire::Member> for Member {
    fn from(member: wire::Member) -> Self {
        Self {
            id: Id(member.id),
            name: member.name,
            peer_urls: member.peer_ur_ls,
            client_urls: member.client_ur_ls,
            learner: member.is_learner,
        }
    }
}

/// All members of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// The cluster's.
    pub cluster: Id,
    /// Each of them.
    pub members: Vec<Member>,
}

/// How a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Who it is.
    pub member: Id,
    /// The cluster's.
    pub cluster: Id,
    /// Its version, such as `3.7.3`.
    pub version: String,
    /// How long its file of data is, in bytes.
    pub size: u64,
    /// How much of that is in use; the rest is given back by defragmenting.
    pub used: u64,
    /// How long the file may become, in bytes; 0 when the member does not say.
    pub quota: u64,
    /// Who leads; none while nobody does.
    pub leader: Option<Id>,
    /// What it was that was written last: everything written has the next revision.
    pub revision: u64,
    /// How far its log is.
    pub index: u64,
    /// How far it has carried the log out.
    pub applied: u64,
    /// How often a leader was looked for.
    pub term: u64,
    /// Whether it only listens.
    pub learner: bool,
    /// What is wrong with it, in its own words.
    pub errors: Vec<String>,
}

impl From<wire::StatusResponse> for Status {
    fn from(status: wire::StatusResponse) -> Self {
        let header = status.header.unwrap_or_default();
        // etcd counts with a sign, and nothing of it is negative.
        let count = |it: i64| u64::try_from(it).unwrap_or_default();
        Self {
            member: Id(header.member_id),
            cluster: Id(header.cluster_id),
            version: status.version,
            size: count(status.db_size),
            used: count(status.db_size_in_use),
            quota: count(status.db_size_quota),
            leader: (status.leader != 0).then_some(Id(status.leader)),
            revision: count(header.revision),
            index: status.raft_index,
            applied: status.raft_applied_index,
            term: status.raft_term,
            learner: status.is_learner,
            errors: status.errors,
        }
    }
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmKind {
    /// The file of data is as long as it may be: nothing more is written.
    NoSpace,
    /// The data of one member is not that of the others.
    Corrupt,
    /// One that this client does not know.
    Other,
}

impl AlarmKind {
    /// Its name, as etcd has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSpace => "NOSPACE",
            Self::Corrupt => "CORRUPT",
            Self::Other => "UNKNOWN",
        }
    }
}

/// Something that etcd says until somebody tells it that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Whose it is.
    pub member: Id,
    /// What it is about.
    pub kind: AlarmKind,
}

impl From<wire::AlarmMember> for Alarm {
    fn from(alarm: wire::AlarmMember) -> Self {
        Self {
            member: Id(alarm.member_id),
            kind: match alarm.alarm() {
                wire::AlarmType::Nospace => AlarmKind::NoSpace,
                wire::AlarmType::Corrupt => AlarmKind::Corrupt,
                wire::AlarmType::None => AlarmKind::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_etcd_writes_them() {
        let id = Id(0x8e9e_05c5_2164_694d);
        assert_eq!(id.to_string(), "8e9e05c52164694d");
        assert_eq!("8e9e05c52164694d".parse(), Ok(id));
        assert!("cp-1".parse::<Id>().is_err());
    }

    #[test]
    fn a_member_is_asked_where_it_says() {
        let urls = [
            "https://10.0.0.1:2379",
            "https://[fd00::1]:2379",
            "https://cp:2379",
        ];
        let member = Member {
            client_urls: urls.map(str::to_owned).into(),
            ..Member::default()
        };
        let found: Vec<_> = member.clients().map(|it| it.to_string()).collect();
        assert_eq!(found, ["10.0.0.1:2379", "[fd00::1]:2379"]);
    }

    #[test]
    fn a_member_without_a_name_has_never_run() {
        let mut member = Member::default();
        assert!(!member.has_started());
        "cp-1".clone_into(&mut member.name);
        assert!(member.has_started());
    }
}
