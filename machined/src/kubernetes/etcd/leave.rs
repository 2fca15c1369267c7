//! Leaving etcd by order, and joining again after that.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::etcd::{CLIENT_PORT, Client, Member};
use resources::runtime::{ServiceState, ServiceStatus};
use rustls::ClientConfig;
use store::{Spec as _, Store};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::bootstrap::Bootstrap;
use super::data::{self, Data};
use super::{join, others, restore};
use crate::kubernetes::component::Component;

/// How long etcd may take to end: it has half a minute from when it is asked to until it is killed.
const END: Duration = Duration::from_secs(90);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(200);

/// Why the node does not leave, or not join.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// Nobody is left who would know what it knows.
    #[error(
        "this node is the only member of etcd that votes, and all that the cluster knows would go with it; `osctl reset` empties the node"
    )]
    Last,
    /// The members cannot be asked, or refuse.
    #[error("leaving etcd; while a majority of its members is not up, nobody can leave")]
    Etcd(#[source] ::etcd::Error),
    /// It is still a member.
    #[error("this node is a member of etcd; `osctl etcd leave` comes before it can join again")]
    Member,
    /// It has not ended.
    #[error("etcd has not ended on this node in {} s; the order holds, say it again", END.as_secs())]
    Runs,
    /// It cannot be kept.
    #[error("keeping the order")]
    Keep(#[source] io::Error),
}

/// The node's own member and how many vote, as its members say.
struct Standing {
    own: Member,
    voters: usize,
}

/// Where the node's own member answers.
#[must_use]
pub fn own() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, CLIENT_PORT))
}

/// `None`: it is none of them any more.
async fn standing(client: &Client) -> Result<Option<Standing>, ::etcd::Error> {
    let id = client.status().await?.member;
    let members = client.members().await?.members;
    let voters = members.iter().filter(|it| !it.learner).count();
    let own = members.into_iter().find(|it| it.id == id);
    Ok(own.map(|own| Standing { own, voters }))
}

/// Whether the other members, of whom it was told these, say that the node is none of them any more. Its own member ends then, so
/// that it cannot be asked.
async fn was_removed(store: &Store, joined: Option<&str>, tls: &Arc<ClientConfig>) -> bool {
    let Some(own) = others::own(store) else {
        return false;
    };
    let found = others::elsewhere(store, joined, tls).await;
    found.is_some_and(|(_, it)| join::standing(&own, &it.members) == join::Standing::Removed)
}

/// Has the node leave: its member, which answers at `own`, is removed, etcd ends here, and it does not join by itself. `false`: it had left before, or was
/// no member yet. It may be dropped at any await, and said again then; so may what somebody else had removed.
///
/// # Errors
/// Why it stays a member.
pub async fn leave(
    bootstrap: &Bootstrap,
    store: &Store,
    own: SocketAddr,
    tls: &Arc<ClientConfig>,
) -> Result<bool, LeaveError> {
    let folder = bootstrap.folder();
    if !folder.try_exists().map_err(LeaveError::Keep)? {
        return Ok(false);
    }
    match data::look(folder).map_err(LeaveError::Keep)? {
        Data::Left => return Ok(false),
        Data::Member(joined) => {
            let client = Client::new(own, Arc::clone(tls));
            match standing(&client).await {
                Ok(Some(Standing { own, voters })) if voters <= 1 && !own.learner => {
                    return Err(LeaveError::Last);
                }
                Ok(Some(Standing { own, .. })) => {
                    client.remove(own.id).await.map_err(LeaveError::Etcd)?;
                }
                // Removed before.
                Ok(None) => {}
                Err(_) if was_removed(store, joined.as_deref(), tls).await => {}
                Err(error) => return Err(LeaveError::Etcd(error)),
            }
        }
        Data::None | Data::Joins(_) | Data::Begins | Data::Recovers(_) => {}
    }
    say(bootstrap).await?;
    Ok(true)
}

/// Says that the node has left.
async fn say(bootstrap: &Bootstrap) -> Result<(), LeaveError> {
    let said = bootstrap.work(|own| data::leave(own.folder())).await;
    said.map_err(LeaveError::Keep)?;
    bootstrap.look_again();
    Ok(())
}

/// Has a node that left be as one that never was a member; `false` when somebody else had before.
fn comes_back(own: &Bootstrap) -> io::Result<bool> {
    match data::look(own.folder())? {
        Data::Left => data::rejoin(own.folder()).map(|()| true),
        _ => Ok(false),
    }
}

/// Whether etcd runs on the node, or what makes its data of a snapshot.
pub(super) fn runs(store: &Store) -> bool {
    let snapshot = store.snapshot();
    let mut services = snapshot.list_as::<ServiceStatus>(ServiceStatus::DEFINITION.namespace);
    let own = |id: &str| id == Component::Etcd.name() || restore::is_one(id);
    services.any(|it| {
        own(it.id())
            && (it.spec.pid != 0
                || matches!(
                    it.spec.state,
                    ServiceState::Starting | ServiceState::Running | ServiceState::Stopping
                ))
    })
}

/// Has a node that left, or was removed, join again; its old data is moved away. `false`: it is on its way already.
///
/// # Errors
/// Why it does not.
pub async fn join(bootstrap: &Bootstrap, store: &Store, removed: bool) -> Result<bool, LeaveError> {
    let folder = bootstrap.folder();
    match data::look(folder).map_err(LeaveError::Keep)? {
        Data::Left => {}
        Data::Member(_) if removed => say(bootstrap).await?,
        Data::Member(_) => return Err(LeaveError::Member),
        Data::None | Data::Joins(_) | Data::Begins | Data::Recovers(_) => return Ok(false),
    }
    let start = Instant::now();
    while runs(store) {
        if start.elapsed() > END {
            return Err(LeaveError::Runs);
        }
        sleep(LOOK).await;
    }
    let joins = bootstrap.work(comes_back).await.map_err(LeaveError::Keep)?;
    bootstrap.look_again();
    Ok(joins)
}
