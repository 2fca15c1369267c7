//! How a node of the control plane becomes a member of a cluster that goes on elsewhere. Pure.
//!
//! It adds itself as a member that only listens, starts, and is given a vote when it knows what the others know: until then
//! nobody waits for it. Who it is to etcd is the address at which the others reach it: one that was added with it and never
//! started is the node itself, whose life before ended in between, so nothing has to be remembered.
//!
//! Only what cannot come back is removed: a member at the node's own address, or of its name, whose data the node does not have.
//! Nobody else answers at that address, and one of the same name elsewhere is asked first. Taking away one that is dead never
//! loses a majority that there is; etcd itself refuses what would.

use ::etcd::Member;

/// Who the node is to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The name of the node.
    pub name: String,
    /// Where the others reach it.
    pub peer_url: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start, and say that these are the members.
    Start(String),
    /// Be added as one that only listens.
    Add,
    /// Have a member removed that the node was, before it lost its data.
    Remove(Member),
    /// Wait until a person has seen to it.
    Refuse(String),
}

/// The member that has the node's name and another address: the node as it was, or another one of the same name.
#[must_use]
pub fn namesake<'a>(own: &Own, members: &'a [Member]) -> Option<&'a Member> {
    let at_own = |it: &Member| it.peer_urls.contains(&own.peer_url);
    if members.iter().any(at_own) {
        return None;
    }
    members.iter().find(|it| it.name == own.name)
}

/// What a node without data does next, as the members know each other. `namesake_is_up`: whether the [`namesake`] answers.
#[must_use]
pub fn plan(own: &Own, members: &[Member], namesake_is_up: bool) -> Step {
    let mut all = members.iter();
    if let Some(ours) = all.find(|it| it.peer_urls.contains(&own.peer_url)) {
        return match ours.has_started() {
            false => Step::Start(initial_cluster(own, members)),
            true => Step::Remove(ours.clone()),
        };
    }
    match namesake(own, members) {
        Some(other) if namesake_is_up => Step::Refuse(format!(
            "another node is a member of the name {:?}, at {}, and it is up: give one of them another name",
            own.name,
            other.peer_urls.join(", ")
        )),
        Some(other) => Step::Remove(other.clone()),
        None => Step::Add,
    }
}

/// The members as etcd takes them at its first start.
fn initial_cluster(own: &Own, members: &[Member]) -> String {
    let mut pairs: Vec<String> = Vec::new();
    for member in members {
        let id = member.id.to_string();
        let name = match (
            member.peer_urls.contains(&own.peer_url),
            member.has_started(),
        ) {
            (true, _) => &own.name,
            (false, true) => &member.name,
            // It goes by its address then, whatever it is called.
            (false, false) => &id,
        };
        pairs.extend(member.peer_urls.iter().map(|url| format!("{name}={url}")));
    }
    // The order of the answer means nothing, and another one would be another service.
    pairs.sort();
    pairs.join(",")
}

/// What a member with data is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It votes.
    Voter,
    /// It only listens.
    Learner(::etcd::Id),
    /// It is none of them any more.
    Removed,
}

/// What the node is among the members, when it has data of one.
#[must_use]
pub fn standing(own: &Own, members: &[Member]) -> Standing {
    // By its address or by its name: an address may change, and the name stays.
    let is_own = |it: &&Member| it.peer_urls.contains(&own.peer_url) || it.name == own.name;
    match members.iter().find(is_own) {
        Some(member) if member.learner => Standing::Learner(member.id),
        Some(_) => Standing::Voter,
        None => Standing::Removed,
    }
}

#[cfg(test)]
mod tests {
    use ::etcd::Id;

    use super::*;

    fn own() -> Own {
        Own {
            name: "cp-3".to_owned(),
            peer_url: url(3),
        }
    }

    fn url(last: u64) -> String {
        format!("https://10.0.0.{last}:2380")
    }

    fn member(name: &str, last: u64) -> Member {
        Member {
            id: Id(last),
            name: name.to_owned(),
            peer_urls: vec![url(last)],
            ..Member::default()
        }
    }

    fn others() -> Vec<Member> {
        vec![member("cp-2", 2), member("cp-1", 1)]
    }

    #[test]
    fn a_new_node_is_added_once_and_starts_with_all() {
        assert_eq!(plan(&own(), &others(), false), Step::Add);
        // A life before was added and ended there.
        let mut members = others();
        members.insert(0, member("", 3));
        let all =
            "cp-1=https://10.0.0.1:2380,cp-2=https://10.0.0.2:2380,cp-3=https://10.0.0.3:2380";
        assert_eq!(plan(&own(), &members, false), Step::Start(all.to_owned()));
        members.reverse();
        assert_eq!(plan(&own(), &members, false), Step::Start(all.to_owned()));
    }

    #[test]
    fn a_node_that_lost_its_disk_takes_its_own_place() {
        let mut members = others();
        members.push(member("cp-3", 3));
        assert_eq!(
            plan(&own(), &members, false),
            Step::Remove(member("cp-3", 3))
        );
        // Whatever it was called: nobody else can be there.
        members.pop();
        members.push(member("old-name", 3));
        assert_eq!(namesake(&own(), &members), None);
        assert_eq!(
            plan(&own(), &members, true),
            Step::Remove(member("old-name", 3))
        );
    }

    #[test]
    fn a_replacement_under_the_same_name_takes_the_place_of_the_dead_only() {
        let mut members = others();
        members.push(member("cp-3", 9));
        assert_eq!(namesake(&own(), &members), Some(&member("cp-3", 9)));
        assert_eq!(
            plan(&own(), &members, false),
            Step::Remove(member("cp-3", 9))
        );
        let Step::Refuse(why) = plan(&own(), &members, true) else {
            panic!("it is up");
        };
        assert!(why.contains("10.0.0.9"), "{why}");
    }

    #[test]
    fn one_that_has_not_started_elsewhere_goes_by_its_address() {
        let mut members = others();
        members.push(member("", 3));
        members.push(Member {
            id: Id(0xabc),
            ..member("", 4)
        });
        let Step::Start(all) = plan(&own(), &members, false) else {
            panic!("it was added");
        };
        assert!(all.starts_with("abc=https://10.0.0.4:2380,"), "{all}");
    }

    #[test]
    fn a_member_knows_what_it_is() {
        let mut members = others();
        assert_eq!(standing(&own(), &members), Standing::Removed);
        members.push(member("cp-3", 9));
        assert_eq!(standing(&own(), &members), Standing::Voter);
        members.pop();
        members.push(Member {
            learner: true,
            ..member("cp-3", 3)
        });
        assert_eq!(standing(&own(), &members), Standing::Learner(Id(3)));
    }
}
