//! The node's etcd: one member, and the snapshot that a test gave it.

use api::v1alpha1 as v1;
use api::v1alpha1::etcd_service_server::EtcdService;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::{Node, Stands, not_here};

/// The only snapshot that it keeps.
const KEPT: &str = "000007-20261122T085210Z";

/// How many bytes come at once.
const PART: usize = 1000;

#[tonic::async_trait]
impl EtcdService for Node {
    type SnapshotStream = BoxStream<'static, Result<v1::EtcdSnapshotResponse, Status>>;

    async fn members(
        &self,
        _: Request<v1::EtcdMembersRequest>,
    ) -> Result<Response<v1::EtcdMembersResponse>, Status> {
        if let Some(refusal) = self.kept().refuses.clone() {
            return Err(refusal);
        }
        let member = v1::EtcdMember {
            id: "8e9e05c52164694d".to_owned(),
            name: "node-1".to_owned(),
            peer_urls: vec!["https://10.0.0.1:2380".to_owned()],
            client_urls: vec!["https://10.0.0.1:2379".to_owned()],
            learner: false,
        };
        Ok(Response::new(v1::EtcdMembersResponse {
            cluster: "cdf818194e3a8c32".to_owned(),
            members: vec![member],
        }))
    }

    async fn status(
        &self,
        _: Request<v1::EtcdStatusRequest>,
    ) -> Result<Response<v1::EtcdStatusResponse>, Status> {
        Err(Status::unimplemented("there is no etcd here"))
    }

    async fn alarms(
        &self,
        _: Request<v1::EtcdAlarmsRequest>,
    ) -> Result<Response<v1::EtcdAlarmsResponse>, Status> {
        Ok(Response::new(v1::EtcdAlarmsResponse::default()))
    }

    async fn disarm_alarms(
        &self,
        _: Request<v1::EtcdDisarmAlarmsRequest>,
    ) -> Result<Response<v1::EtcdDisarmAlarmsResponse>, Status> {
        not_here()
    }

    async fn compact(
        &self,
        _: Request<v1::EtcdCompactRequest>,
    ) -> Result<Response<v1::EtcdCompactResponse>, Status> {
        Ok(Response::new(v1::EtcdCompactResponse { revision: 184_467 }))
    }

    async fn defragment(
        &self,
        _: Request<v1::EtcdDefragmentRequest>,
    ) -> Result<Response<v1::EtcdDefragmentResponse>, Status> {
        not_here()
    }

    async fn forfeit_leadership(
        &self,
        _: Request<v1::EtcdForfeitLeadershipRequest>,
    ) -> Result<Response<v1::EtcdForfeitLeadershipResponse>, Status> {
        not_here()
    }

    async fn leave(
        &self,
        _: Request<v1::EtcdLeaveRequest>,
    ) -> Result<Response<v1::EtcdLeaveResponse>, Status> {
        not_here()
    }

    async fn join(
        &self,
        _: Request<v1::EtcdJoinRequest>,
    ) -> Result<Response<v1::EtcdJoinResponse>, Status> {
        not_here()
    }

    async fn recover(
        &self,
        request: Request<Streaming<v1::EtcdRecoverRequest>>,
    ) -> Result<Response<v1::EtcdRecoverResponse>, Status> {
        self.stand(Stands::Early).await;
        let (mut parts, mut all) = (request.into_inner(), Vec::new());
        while let Some(part) = parts.message().await? {
            all.extend(part.data);
        }
        self.stand(Stands::Late).await;
        let size = u64::try_from(all.len()).unwrap_or_default();
        self.kept().snapshot = all;
        Ok(Response::new(v1::EtcdRecoverResponse { size }))
    }

    async fn remove_member(
        &self,
        _: Request<v1::EtcdRemoveMemberRequest>,
    ) -> Result<Response<v1::EtcdRemoveMemberResponse>, Status> {
        let mut kept = self.kept();
        if let Some(refusal) = kept.refuses.clone() {
            return Err(refusal);
        }
        kept.removals += 1;
        Ok(Response::new(v1::EtcdRemoveMemberResponse::default()))
    }

    async fn snapshots(
        &self,
        _: Request<v1::EtcdSnapshotsRequest>,
    ) -> Result<Response<v1::EtcdSnapshotsResponse>, Status> {
        let bytes = self.kept().snapshot.len();
        let kept = v1::EtcdKeptSnapshot {
            name: KEPT.to_owned(),
            taken: "2026-11-22T08:52:10Z".to_owned(),
            size: u64::try_from(bytes).unwrap_or_default(),
            revision: 184_467,
            version: "3.7".to_owned(),
            sha256: "5feceb66ffc86f38d952786c6d696c79".to_owned(),
            problem: String::new(),
        };
        let snapshots = match bytes {
            0 => Vec::new(),
            _ => vec![kept],
        };
        Ok(Response::new(v1::EtcdSnapshotsResponse { snapshots }))
    }

    async fn snapshot(
        &self,
        request: Request<v1::EtcdSnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        let kept = request.into_inner().kept;
        if !kept.is_empty() && kept != KEPT {
            return Err(Status::not_found(format!(
                "this node keeps no snapshot {kept}"
            )));
        }
        let bytes = self.kept().snapshot.clone();
        let mut remaining = bytes.len();
        let parts = bytes.chunks(PART).map(|part| {
            remaining -= part.len();
            Ok(v1::EtcdSnapshotResponse {
                data: part.to_vec(),
                remaining: u64::try_from(remaining.saturating_sub(32)).unwrap_or_default(),
            })
        });
        let parts: Vec<_> = parts.collect();
        let node = self.clone();
        let parts = stream::iter(parts).enumerate().then(move |(number, part)| {
            let node = node.clone();
            async move {
                if number == 1 {
                    node.stand(Stands::Early).await;
                }
                part
            }
        });
        Ok(Response::new(parts.boxed()))
    }
}
