//! An etcd of no lines: every call is answered with nothing.

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::etcd_service_client::EtcdServiceClient;
use ::api::v1alpha1::etcd_service_server::{EtcdService, EtcdServiceServer};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

/// Answers everything.
#[derive(Debug)]
pub(crate) struct FakeEtcd;

impl FakeEtcd {
    pub(crate) fn into_service(self) -> EtcdServiceServer<Self> {
        EtcdServiceServer::new(self)
    }
}

/// Each method that answers with one message.
macro_rules! answers {
    ($($method:ident: $request:ident -> $response:ident;)*) => {
        #[tonic::async_trait]
        impl EtcdService for FakeEtcd {
            type SnapshotStream = BoxStream<'static, Result<v1::EtcdSnapshotResponse, Status>>;

            async fn snapshot(
                &self,
                _: Request<v1::EtcdSnapshotRequest>,
            ) -> Result<Response<Self::SnapshotStream>, Status> {
                Ok(Response::new(stream::empty().boxed()))
            }

            async fn recover(
                &self,
                _: Request<Streaming<v1::EtcdRecoverRequest>>,
            ) -> Result<Response<v1::EtcdRecoverResponse>, Status> {
                Ok(Response::new(v1::EtcdRecoverResponse::default()))
            }

            $(async fn $method(
                &self,
                _: Request<v1::$request>,
            ) -> Result<Response<v1::$response>, Status> {
                Ok(Response::new(v1::$response::default()))
            })*
        }

        /// Calls a method by its name, with the least that it takes.
        pub(crate) async fn call(channel: Channel, method: &str) -> Option<Result<(), Status>> {
            let mut client = EtcdServiceClient::new(channel);
            if method == "Snapshot" {
                let request = v1::EtcdSnapshotRequest::default();
                return Some(client.snapshot(request).await.map(drop));
            }
            if method == "Recover" {
                let nothing = stream::empty::<v1::EtcdRecoverRequest>();
                return Some(client.recover(nothing).await.map(drop));
            }
            $(if method.to_lowercase() == stringify!($method).replace('_', "") {
                let request = v1::$request::default();
                return Some(client.$method(request).await.map(drop));
            })*
            None
        }
    };
}

answers! {
    members: EtcdMembersRequest -> EtcdMembersResponse;
    status: EtcdStatusRequest -> EtcdStatusResponse;
    alarms: EtcdAlarmsRequest -> EtcdAlarmsResponse;
    disarm_alarms: EtcdDisarmAlarmsRequest -> EtcdDisarmAlarmsResponse;
    compact: EtcdCompactRequest -> EtcdCompactResponse;
    defragment: EtcdDefragmentRequest -> EtcdDefragmentResponse;
    forfeit_leadership: EtcdForfeitLeadershipRequest -> EtcdForfeitLeadershipResponse;
    snapshots: EtcdSnapshotsRequest -> EtcdSnapshotsResponse;
    leave: EtcdLeaveRequest -> EtcdLeaveResponse;
    join: EtcdJoinRequest -> EtcdJoinResponse;
    remove_member: EtcdRemoveMemberRequest -> EtcdRemoveMemberResponse;
}
