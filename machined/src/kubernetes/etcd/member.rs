//! Has the node become a member of the etcd that goes on elsewhere, and stay one.
//!
//! It asks and tells other members; what is kept of that is the file of those it joins, beside the data. Whether etcd runs is
//! `apply`'s, which looks at the same folder. A member that has its vote is only looked at.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::etcd::{Alarm, AlarmKind, CLIENT_PORT, Client, Members};
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec, NodeStatus};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::Condition;
use rustls::ClientConfig;

use super::access::Access;
use super::bootstrap::Bootstrap;
use super::data::{self, Data};
use super::join::{self, Own, Standing, Step};
use super::{others, service};
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::address;
use crate::network::lookup::Lookup;

/// The condition that the node is a member with a vote.
pub const CONDITION: &str = "etcd-member";

/// What that says of a node that was removed.
pub const REMOVED: &str = "this node was removed from the members of etcd, and its data is of no use any more; `osctl etcd join` moves that away and has it join again";

/// How often a node that is on its way looks again, and one that has arrived.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(30);

/// The controller.
#[derive(Debug)]
pub struct Member {
    bootstrap: Bootstrap,
    lookup: Lookup,
    access: Access,
}

cosi::declare! {
    Member as "kubernetes.etcd.member" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads NodeStatus;
        reads NodeAddress;
        reads HostnameSpec;
        reads Condition;
        shares Condition;
    }
}

/// What the node is and knows.
struct Facts {
    own: Own,
    address: IpAddr,
    addresses: Vec<IpAddr>,
    cluster: KubernetesSpec,
    nodes: Vec<NodeStatus>,
    tls: Arc<ClientConfig>,
}

/// What there is to say, and when to look again.
struct Said {
    met: bool,
    message: String,
    again: Duration,
}

fn soon(message: impl Into<String>) -> Said {
    Said {
        met: false,
        message: message.into(),
        again: SOON,
    }
}

/// What etcd answered, when it did not do something.
fn not_yet(error: &::etcd::Error) -> Said {
    soon(cosi::report(error))
}

fn votes() -> Said {
    Said {
        met: true,
        message: "this node is a member of etcd and votes".to_owned(),
        again: LATER,
    }
}

/// What is wrong until somebody says that it is over, and the way there.
fn alarm(alarms: &[Alarm], members: &[::etcd::Member]) -> String {
    let whose = |alarm: &Alarm| {
        let member = members.iter().find(|it| it.id == alarm.member);
        member.map_or_else(|| alarm.member.to_string(), |it| it.name.clone())
    };
    let each = alarms.iter().map(|alarm| {
        let (name, whose) = (alarm.kind.name(), whose(alarm));
        let way = match alarm.kind {
            AlarmKind::NoSpace => "etcd's data is as long as it may be and nothing more is written: `osctl etcd compact`, `osctl etcd defrag` on each node of the control plane, then `osctl etcd alarms disarm`",
            AlarmKind::Corrupt => "its data is not that of the others: `osctl reset` its node, which then joins anew, and `osctl etcd alarms disarm`",
            AlarmKind::Other => "`osctl etcd alarms` shows it",
        };
        format!("alarm {name} of {whose}: {way}")
    });
    let all: Vec<_> = each.collect();
    all.join("; ")
}

/// Has the node start as one of these members, unless something else was ordered meanwhile.
fn starts(own: &Bootstrap, members: &str) -> io::Result<bool> {
    if !matches!(data::look(own.folder())?, Data::None | Data::Joins(_)) {
        return Ok(false);
    }
    data::join(own.folder(), members)?;
    own.look_again();
    Ok(true)
}

impl Member {
    /// Keeps what it joins beside the data of `bootstrap`, and looks the endpoint up this way.
    #[must_use]
    pub fn new(bootstrap: Bootstrap, lookup: Lookup) -> Self {
        Self {
            bootstrap,
            lookup,
            access: Access::default(),
        }
    }

    /// What the node is; `None` while that is not known.
    fn facts(&mut self, cx: &mut Cx<'_, Self>) -> Result<Option<Facts>, Error> {
        let mounted = cx.get::<Condition>(EPHEMERAL);
        let (Some(cluster), Some(addresses), Some(hostname), true) = (
            cx.get::<KubernetesSpec>(KUBERNETES),
            cx.get::<NodeAddress>(CURRENT),
            cx.get::<HostnameSpec>(HOSTNAME),
            mounted.is_some_and(|it| it.spec.met),
        ) else {
            return Ok(None);
        };
        let of_etcd = address::of(&cluster.spec, &addresses.spec);
        let Some(&address) = of_etcd.first() else {
            return Ok(None);
        };
        let all = addresses.spec.addresses.iter();
        let documents = crate::config::documents(cx.parts().0)?;
        let nodes = cx.list::<NodeStatus>();
        Ok(Some(Facts {
            own: Own {
                name: hostname.spec.hostname.clone(),
                peer_url: service::peer_url(address),
            },
            address,
            addresses: all.map(|it| it.address()).collect(),
            cluster: (*cluster.spec).clone(),
            nodes: nodes.iter().map(|it| (*it.spec).clone()).collect(),
            tls: self.access.tls(&documents, cx.now())?,
        }))
    }

    /// Somebody else who knows the members.
    async fn others(&self, facts: &Facts, joined: Option<&str>) -> Option<(Client, Members)> {
        let Facts {
            cluster,
            nodes,
            addresses,
            tls,
            ..
        } = facts;
        let places = others::places(cluster, nodes, joined, addresses);
        others::ask(places, &self.lookup, addresses, tls).await
    }

    /// Goes one step on the way of a node without data. What it was told to join before may be another cluster by now.
    async fn joins(&self, facts: &Facts, told: Option<&str>) -> Result<Said, Error> {
        let Some((client, members)) = self.others(facts, told).await else {
            return Ok(soon("no other control plane's etcd answers"));
        };
        let members = members.members;
        let up = match join::namesake(&facts.own, &members) {
            Some(namesake) => others::is_up(namesake, &facts.tls).await.is_some(),
            None => false,
        };
        // Meanwhile somebody may have said that a cluster begins here, or that this node leaves.
        let folder = self.bootstrap.folder();
        if !matches!(data::look(folder)?, Data::None | Data::Joins(_)) {
            return Ok(soon("something else was ordered"));
        }
        let said = match join::plan(&facts.own, &members, up) {
            Step::Start(all) => {
                let starts = self.bootstrap.work(move |own| starts(own, &all));
                match starts.await? {
                    true => soon("this node starts as a member that only listens yet"),
                    false => soon("something else was ordered"),
                }
            }
            Step::Add => match client.add_learner(&facts.own.peer_url).await {
                Ok(member) => {
                    tracing::info!(id = %member.id, through = %client.address(), "added to etcd");
                    soon("this node was added to the members of etcd")
                }
                Err(error) => not_yet(&error),
            },
            Step::Remove(member) => match client.remove(member.id).await {
                Ok(()) => {
                    tracing::warn!(id = %member.id, name = member.name, "removed the member that this node was before it lost its data");
                    soon("the member that this node was before was removed")
                }
                Err(error) => not_yet(&error),
            },
            Step::Refuse(why) => soon(why),
        };
        Ok(said)
    }

    /// Looks after a node with data of a member.
    async fn stays(&self, facts: &Facts, joined: Option<&str>) -> Said {
        let own = SocketAddr::new(facts.address, CLIENT_PORT);
        let own = Client::new(own, Arc::clone(&facts.tls));
        let found = match own.members().await {
            Ok(members) => Some((own, members)),
            // It may only listen, not be up, or be none of them any more: the others know.
            Err(_) => self.others(facts, joined).await,
        };
        let Some((client, members)) = found else {
            return soon("no majority of etcd's members answers");
        };
        match join::standing(&facts.own, &members.members) {
            Standing::Voter => match client.alarms().await {
                Ok(alarms) if !alarms.is_empty() => Said {
                    met: true,
                    message: alarm(&alarms, &members.members),
                    again: LATER,
                },
                _ => votes(),
            },
            Standing::Learner(id) => match client.promote(id).await {
                Ok(()) => {
                    tracing::info!(%id, "votes in etcd");
                    votes()
                }
                Err(error) if error.is_refusal() => {
                    soon("this node learns what the other members of etcd know")
                }
                Err(error) => not_yet(&error),
            },
            Standing::Removed => soon(REMOVED),
        }
    }
}

impl Controller for Member {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        if !cluster.is_some_and(|it| it.spec.control_plane) {
            cx.remove::<Condition>(CONDITION);
            return Ok(Outcome::Done);
        }
        let Some(facts) = self.facts(cx)? else {
            return Ok(Outcome::WaitingOn(
                "the node's disk, its name and its addresses".to_owned(),
            ));
        };
        let data = match self.bootstrap.folder().try_exists()? {
            true => data::look(self.bootstrap.folder())?,
            // Nobody has made it yet.
            false => return Ok(Outcome::Requeue(SOON)),
        };
        let said = match &data {
            Data::None => self.joins(&facts, None).await?,
            Data::Joins(told) => self.joins(&facts, Some(told)).await?,
            Data::Member(joined) => self.stays(&facts, joined.as_deref()).await,
            Data::Begins => soon("a cluster begins here"),
            Data::Recovers(_) => soon("a cluster begins here from a snapshot"),
            Data::Left => soon("this node has left etcd; `osctl etcd join` has it join again"),
        };
        let Said {
            met,
            message,
            again,
        } = said;
        cx.put(CONDITION, Condition { met, message });
        Ok(Outcome::Requeue(again))
    }
}

#[cfg(test)]
mod tests {
    use ::etcd::Id;

    use super::*;

    #[test]
    fn an_alarm_tells_whose_it_is_and_the_way_out() {
        let of = |member, kind| Alarm {
            member: Id(member),
            kind,
        };
        let members = [::etcd::Member {
            id: Id(1),
            name: "cp-1".to_owned(),
            ..::etcd::Member::default()
        }];
        let alarms = [of(1, AlarmKind::NoSpace), of(0xab, AlarmKind::Corrupt)];
        let text = alarm(&alarms, &members);
        assert!(text.contains("alarm NOSPACE of cp-1: "), "{text}");
        assert!(text.contains("osctl etcd defrag"), "{text}");
        assert!(text.contains("alarm CORRUPT of ab: "), "{text}");
    }
}
