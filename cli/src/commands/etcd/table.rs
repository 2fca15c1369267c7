//! What etcd says, as people and programs read it.

use anyhow::Result;
use api::v1alpha1 as v1;
use serde::Serialize;

use crate::fleet::Answers;
use crate::output::{self, Format, size};

/// A member.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member<'a> {
    id: &'a str,
    name: &'a str,
    role: &'static str,
    peer_urls: &'a [String],
    client_urls: &'a [String],
}

impl<'a> Member<'a> {
    pub(super) fn of(member: &'a v1::EtcdMember) -> Self {
        Self {
            id: &member.id,
            name: &member.name,
            role: match (member.name.is_empty(), member.learner) {
                (true, _) => "not started",
                (false, true) => "learner",
                (false, false) => "voter",
            },
            peer_urls: &member.peer_urls,
            client_urls: &member.client_urls,
        }
    }
}

/// Shows the members.
pub(super) fn members(answer: &v1::EtcdMembersResponse, format: Format) -> Result<()> {
    #[derive(Serialize)]
    struct All<'a> {
        cluster: &'a str,
        members: Vec<Member<'a>>,
    }
    let all = All {
        cluster: &answer.cluster,
        members: answer.members.iter().map(Member::of).collect(),
    };
    if format != Format::Table {
        return output::value(format, &all);
    }
    let row = |it: &Member<'_>| {
        vec![
            it.id.to_owned(),
            it.name.to_owned(),
            it.role.to_owned(),
            it.peer_urls.join(","),
            it.client_urls.join(","),
        ]
    };
    let rows: Vec<_> = all.members.iter().map(row).collect();
    output::table(&["ID", "NAME", "ROLE", "PEERS", "CLIENTS"], &rows)
}

/// Shows alarms; this text when there are none.
pub(super) fn alarms(alarms: &[v1::EtcdAlarm], format: Format, none: &str) -> Result<()> {
    #[derive(Serialize)]
    struct Alarm<'a> {
        member: &'a str,
        name: &'a str,
        alarm: &'a str,
    }
    let each = alarms.iter().map(|it| Alarm {
        member: &it.member,
        name: &it.name,
        alarm: &it.alarm,
    });
    let all: Vec<_> = each.collect();
    if format != Format::Table {
        return output::value(format, &all);
    }
    if all.is_empty() {
        return output::line(none);
    }
    let row = |it: &Alarm<'_>| [it.member, it.name, it.alarm].map(str::to_owned).to_vec();
    let rows: Vec<_> = all.iter().map(row).collect();
    output::table(&["MEMBER", "NAME", "ALARM"], &rows)
}

/// How a node's member is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    member: &'a str,
    version: &'a str,
    role: &'static str,
    size: u64,
    used: u64,
    quota: u64,
    index: u64,
    applied: u64,
    term: u64,
    errors: &'a [String],
}

impl<'a> Status<'a> {
    fn of(status: &'a v1::EtcdStatusResponse) -> Self {
        let leads = !status.leader.is_empty() && status.leader == status.member;
        Self {
            member: &status.member,
            version: &status.version,
            role: match (status.learner, leads, status.leader.is_empty()) {
                (true, ..) => "learner",
                (_, true, _) => "leader",
                (_, _, true) => "without a leader",
                _ => "follower",
            },
            size: status.size,
            used: status.used,
            quota: status.quota,
            index: status.index,
            applied: status.applied,
            term: status.term,
            errors: &status.errors,
        }
    }
}

/// Shows how members are; fails for the nodes that did not answer.
pub(super) fn status(answers: Answers<v1::EtcdStatusResponse>, format: Format) -> Result<()> {
    let all: Vec<_> = answers
        .good
        .iter()
        .map(|(node, status)| (node.clone(), Status::of(status)))
        .collect();
    if format != Format::Table {
        output::values_per_node(format, &all)?;
        return answers.finish();
    }
    let row = |(node, it): &(String, Status<'_>)| {
        let quota = match it.quota {
            0 => "-".to_owned(),
            quota => size(quota),
        };
        vec![
            node.clone(),
            it.member.to_owned(),
            it.version.to_owned(),
            it.role.to_owned(),
            size(it.size),
            size(it.used),
            quota,
            it.index.to_string(),
            it.applied.to_string(),
            it.term.to_string(),
            it.errors.join("; "),
        ]
    };
    let headings = [
        "NODE", "MEMBER", "VERSION", "ROLE", "SIZE", "USED", "QUOTA", "INDEX", "APPLIED", "TERM",
        "ERRORS",
    ];
    let rows: Vec<_> = all.iter().map(row).collect();
    if !rows.is_empty() {
        output::table(&headings, &rows)?;
    }
    answers.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_one_word_for_what_counts_most() {
        let status = |leader: &str, learner| v1::EtcdStatusResponse {
            member: "a".to_owned(),
            leader: leader.to_owned(),
            learner,
            ..v1::EtcdStatusResponse::default()
        };
        let role = |leader, learner| Status::of(&status(leader, learner)).role;
        assert_eq!(role("a", false), "leader");
        assert_eq!(role("b", false), "follower");
        assert_eq!(role("", false), "without a leader");
        assert_eq!(role("b", true), "learner");
        let mut member = v1::EtcdMember {
            learner: true,
            ..v1::EtcdMember::default()
        };
        assert_eq!(Member::of(&member).role, "not started");
        "cp-1".clone_into(&mut member.name);
        assert_eq!(Member::of(&member).role, "learner");
    }
}
