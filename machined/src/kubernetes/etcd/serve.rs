//! `EtcdService`: what people and their tools ask of etcd through the node.
//!
//! Nobody but the node itself and the API server has a certificate that etcd believes, so the node asks in their place, as far
//! as its own table lets them.

use std::path::PathBuf;
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::etcd_service_server::{EtcdService, EtcdServiceServer};
use ::etcd::{Alarm, Client, Member, Members};
use futures_util::stream::{BoxStream, StreamExt as _, try_unfold};
use jiff::Timestamp;
use resources::runtime::Condition;
use rustls::ClientConfig;
use store::{Spec as _, Store};
use tonic::{Request, Response, Status, Streaming};

use super::access::{self, AccessError};
use super::bootstrap::Bootstrap;
use super::leave::{self, LeaveError};
use super::recover::recover;
use super::snapshots::send;
use super::{member, others};
use crate::api::about;

/// The service over the state of a node.
#[derive(Clone, Debug)]
pub struct Etcd {
    store: Store,
    bootstrap: Bootstrap,
    /// Where the snapshots are that the node keeps.
    kept: PathBuf,
}

impl Etcd {
    /// Asks the member of the node with this state, and orders where its data is; what the node keeps of it is in the folder `kept`.
    #[must_use]
    pub fn new(store: Store, bootstrap: Bootstrap, kept: PathBuf) -> Self {
        Self {
            store,
            bootstrap,
            kept,
        }
    }

    /// As the API's port serves it.
    #[must_use]
    pub fn into_service(self) -> EtcdServiceServer<Self> {
        EtcdServiceServer::new(self)
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, Status> {
        access::tls_of(&self.store, Timestamp::now()).map_err(|error| {
            let text = cosi::report(&error);
            match error {
                // A code of its own: clients ask another node then, and not when a member is not found.
                AccessError::None => Status::unimplemented(text),
                _ => Status::internal(text),
            }
        })
    }

    /// A client of the node's own member.
    fn own(&self) -> Result<Client, Status> {
        Ok(Client::new(leave::own(), self.tls()?))
    }
}

impl Etcd {
    /// Whether other members say that this node is none of them any more.
    fn was_removed(&self) -> bool {
        let namespace = Condition::DEFINITION.namespace;
        let snapshot = self.store.snapshot();
        let condition = snapshot.get_as::<Condition>(namespace, member::CONDITION);
        // The controller has asked them, and says so as long as it is so.
        condition.is_some_and(|it| !it.spec.met && it.spec.message == member::REMOVED)
    }
}

/// What a caller is told of etcd's answer.
fn failed(error: ::etcd::Error) -> Status {
    let text = cosi::report(&error);
    match error.is_refusal() {
        true => Status::failed_precondition(text),
        false => Status::unavailable(format!(
            "{text}; `osctl services` and `osctl get conditions` say how etcd is on this node"
        )),
    }
}

fn refused(error: &LeaveError) -> Status {
    let text = cosi::report(error);
    match error {
        LeaveError::Keep(_) => Status::internal(text),
        LeaveError::Etcd(_) | LeaveError::Runs => Status::unavailable(text),
        _ => Status::failed_precondition(text),
    }
}

fn shown(member: Member) -> v1::EtcdMember {
    v1::EtcdMember {
        id: member.id.to_string(),
        name: member.name,
        peer_urls: member.peer_urls,
        client_urls: member.client_urls,
        learner: member.learner,
    }
}

/// Alarms with the names of whose they are.
fn named(alarms: &[Alarm], members: &Members) -> Vec<v1::EtcdAlarm> {
    let name = |alarm: &Alarm| {
        let mut members = members.members.iter();
        let member = members.find(|it| it.id == alarm.member);
        member.map(|it| it.name.clone()).unwrap_or_default()
    };
    let each = alarms.iter().map(|alarm| v1::EtcdAlarm {
        member: alarm.member.to_string(),
        name: name(alarm),
        alarm: alarm.kind.name().to_owned(),
    });
    each.collect()
}

/// The member that somebody means by a name or an id.
fn meant<'a>(members: &'a Members, by: &str) -> Result<&'a Member, Status> {
    let all = &members.members;
    let by_name = all.iter().find(|it| it.has_started() && it.name == by);
    let found = by_name.or_else(|| all.iter().find(|it| it.id.to_string() == by));
    found.ok_or_else(|| {
        Status::not_found(format!(
            "etcd has no member {by:?}; `osctl etcd members` lists them"
        ))
    })
}

#[tonic::async_trait]
impl EtcdService for Etcd {
    type SnapshotStream = BoxStream<'static, Result<v1::EtcdSnapshotResponse, Status>>;

    async fn members(
        &self,
        _: Request<v1::EtcdMembersRequest>,
    ) -> Result<Response<v1::EtcdMembersResponse>, Status> {
        let members = self.own()?.members().await.map_err(failed)?;
        Ok(Response::new(v1::EtcdMembersResponse {
            cluster: members.cluster.to_string(),
            members: members.members.into_iter().map(shown).collect(),
        }))
    }

    async fn status(
        &self,
        _: Request<v1::EtcdStatusRequest>,
    ) -> Result<Response<v1::EtcdStatusResponse>, Status> {
        let status = self.own()?.status().await.map_err(failed)?;
        Ok(Response::new(v1::EtcdStatusResponse {
            member: status.member.to_string(),
            version: status.version,
            size: status.size,
            used: status.used,
            quota: status.quota,
            leader: status.leader.map(|it| it.to_string()).unwrap_or_default(),
            index: status.index,
            applied: status.applied,
            term: status.term,
            learner: status.learner,
            errors: status.errors,
        }))
    }

    async fn alarms(
        &self,
        _: Request<v1::EtcdAlarmsRequest>,
    ) -> Result<Response<v1::EtcdAlarmsResponse>, Status> {
        let client = self.own()?;
        let alarms = client.alarms().await.map_err(failed)?;
        let members = client.members().await.map_err(failed)?;
        Ok(Response::new(v1::EtcdAlarmsResponse {
            alarms: named(&alarms, &members),
        }))
    }

    async fn disarm_alarms(
        &self,
        request: Request<v1::EtcdDisarmAlarmsRequest>,
    ) -> Result<Response<v1::EtcdDisarmAlarmsResponse>, Status> {
        about(&request, "alarms of etcd");
        let client = self.own()?;
        let alarms = client.alarms().await.map_err(failed)?;
        let members = client.members().await.map_err(failed)?;
        for alarm in &alarms {
            client.disarm(*alarm).await.map_err(failed)?;
        }
        Ok(Response::new(v1::EtcdDisarmAlarmsResponse {
            alarms: named(&alarms, &members),
        }))
    }

    async fn compact(
        &self,
        request: Request<v1::EtcdCompactRequest>,
    ) -> Result<Response<v1::EtcdCompactResponse>, Status> {
        about(&request, "the history of etcd");
        let client = self.own()?;
        let revision = client.status().await.map_err(failed)?.revision;
        client.compact(revision).await.map_err(failed)?;
        Ok(Response::new(v1::EtcdCompactResponse { revision }))
    }

    async fn defragment(
        &self,
        request: Request<v1::EtcdDefragmentRequest>,
    ) -> Result<Response<v1::EtcdDefragmentResponse>, Status> {
        about(&request, "the data of etcd");
        let client = self.own()?;
        let before = client.status().await.map_err(failed)?.size;
        client.defragment().await.map_err(failed)?;
        let after = client.status().await.map_err(failed)?.size;
        Ok(Response::new(v1::EtcdDefragmentResponse { before, after }))
    }

    async fn forfeit_leadership(
        &self,
        request: Request<v1::EtcdForfeitLeadershipRequest>,
    ) -> Result<Response<v1::EtcdForfeitLeadershipResponse>, Status> {
        about(&request, "the lead of etcd");
        let client = self.own()?;
        let status = client.status().await.map_err(failed)?;
        if status.leader != Some(status.member) {
            return Ok(Response::new(v1::EtcdForfeitLeadershipResponse::default()));
        }
        let members = client.members().await.map_err(failed)?.members;
        let voters = members.into_iter().filter(|it| !it.learner);
        let mut last = Status::failed_precondition(
            "this node's member is the only one with a vote; nobody else can lead",
        );
        for other in voters.filter(|it| it.id != status.member) {
            match client.move_leader(other.id).await {
                Ok(()) => {
                    return Ok(Response::new(v1::EtcdForfeitLeadershipResponse {
                        leader: other.name,
                    }));
                }
                // It may be down, and another one up.
                Err(error) => last = failed(error),
            }
        }
        Err(last)
    }

    async fn remove_member(
        &self,
        request: Request<v1::EtcdRemoveMemberRequest>,
    ) -> Result<Response<v1::EtcdRemoveMemberResponse>, Status> {
        about(&request, &request.get_ref().member);
        let by = request.into_inner().member;
        let client = self.own()?;
        let members = client.members().await.map_err(failed)?;
        let member = meant(&members, &by)?;
        let tls = self.tls()?;
        if let Some(address) = others::is_up(member, &tls).await {
            return Err(Status::failed_precondition(format!(
                "member {:?} is up and answers at {address}; `osctl etcd leave` on its own node has it leave",
                member.name
            )));
        }
        client.remove(member.id).await.map_err(failed)?;
        Ok(Response::new(v1::EtcdRemoveMemberResponse {
            member: Some(shown(member.clone())),
        }))
    }

    async fn leave(
        &self,
        request: Request<v1::EtcdLeaveRequest>,
    ) -> Result<Response<v1::EtcdLeaveResponse>, Status> {
        about(&request, "etcd");
        let left = leave::leave(&self.bootstrap, &self.store, leave::own(), &self.tls()?).await;
        let before = !left.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::EtcdLeaveResponse { before }))
    }

    async fn join(
        &self,
        request: Request<v1::EtcdJoinRequest>,
    ) -> Result<Response<v1::EtcdJoinResponse>, Status> {
        about(&request, "etcd");
        let removed = self.was_removed();
        let joins = leave::join(&self.bootstrap, &self.store, removed).await;
        let before = !joins.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::EtcdJoinResponse { before }))
    }

    async fn recover(
        &self,
        request: Request<Streaming<v1::EtcdRecoverRequest>>,
    ) -> Result<Response<v1::EtcdRecoverResponse>, Status> {
        about(&request, "etcd");
        let size = recover(&self.bootstrap, &self.store, request.into_inner()).await?;
        Ok(Response::new(v1::EtcdRecoverResponse { size }))
    }

    async fn snapshots(
        &self,
        _: Request<v1::EtcdSnapshotsRequest>,
    ) -> Result<Response<v1::EtcdSnapshotsResponse>, Status> {
        // They are there whether etcd is or not.
        let snapshots = send::list(&self.store.snapshot())?;
        Ok(Response::new(v1::EtcdSnapshotsResponse { snapshots }))
    }

    async fn snapshot(
        &self,
        request: Request<v1::EtcdSnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        about(&request, "snapshot of etcd");
        let kept = request.into_inner().kept;
        if !kept.is_empty() {
            let parts = send::send(self.kept.clone(), &kept).await?;
            return Ok(Response::new(parts));
        }
        let snapshot = self.own()?.snapshot().await.map_err(failed)?;
        let parts = try_unfold(snapshot, |mut snapshot| async {
            let part = snapshot.next().await.map_err(failed)?;
            Ok(part.map(|part| {
                let answer = v1::EtcdSnapshotResponse {
                    data: part.bytes,
                    remaining: part.remaining,
                };
                (answer, snapshot)
            }))
        });
        Ok(Response::new(parts.boxed()))
    }
}

#[cfg(test)]
mod tests {
    use ::etcd::{AlarmKind, Id};

    use super::*;

    fn members() -> Members {
        let member = |id, name: &str| Member {
            id: Id(id),
            name: name.to_owned(),
            ..Member::default()
        };
        Members {
            cluster: Id(7),
            members: vec![member(0xab, "cp-1"), member(0xcd, "ab"), member(0xef, "")],
        }
    }

    #[test]
    fn a_member_is_meant_by_its_name_or_else_its_id() {
        let members = members();
        let meant = |by| super::meant(&members, by).map(|it| it.id).ok();
        assert_eq!(meant("cp-1"), Some(Id(0xab)));
        assert_eq!(meant("ab"), Some(Id(0xcd)), "a name comes first");
        assert_eq!(meant("ef"), Some(Id(0xef)));
        assert_eq!(meant(""), None, "one that has not started has no name");
        assert_eq!(meant("cp-2"), None);
    }

    #[test]
    fn alarms_have_names() {
        let alarm = |member| Alarm {
            member: Id(member),
            kind: AlarmKind::NoSpace,
        };
        let named = named(&[alarm(0xab), alarm(1)], &members());
        let of = |it: &v1::EtcdAlarm| (it.member.clone(), it.name.clone(), it.alarm.clone());
        let seen: Vec<_> = named.iter().map(of).collect();
        let text = |a: &str, b: &str| (a.to_owned(), b.to_owned(), "NOSPACE".to_owned());
        assert_eq!(seen, [text("ab", "cp-1"), text("1", "")]);
    }

    #[tokio::test]
    async fn a_node_without_etcd_says_so() {
        let bootstrap = Bootstrap::new("/nowhere".into(), 0);
        let etcd = Etcd::new(Store::new(1), bootstrap, "/nowhere".into());
        let asked = etcd.members(Request::new(v1::EtcdMembersRequest {})).await;
        let status = asked.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unimplemented);
        assert!(status.message().contains("-n"), "{status}");
    }
}
