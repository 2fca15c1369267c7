//! Messages that are too large, and callers that do not read.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use http::{Request, Response};
use pki::Role;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};

use super::fixture::{Cluster, DEADLINE, dial, serve};

/// A service nobody has written a rule for.
#[derive(Clone)]
pub(crate) struct Stranger;

/// `FileDescriptorSet { file: [{ package: "x", service: [{ name: "Y", method: [{ name: "Z" }] }] }] }`.
pub(crate) const STRANGER_DESCRIPTORS: &[u8] =
    b"\x0a\x0d\x12\x01x\x32\x08\x0a\x01Y\x12\x03\x0a\x01Z";

impl NamedService for Stranger {
    const NAME: &'static str = "x.Y";
}

impl tower::Service<Request<Body>> for Stranger {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Status::ok("").into_http()))
    }
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_and_one_below_is_taken() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let channel = dial(served.address, cluster.client(Role::Admin))
        .await
        .unwrap();
    let mut client = MachineServiceClient::new(channel);
    let mut upload = async |size: usize| {
        let request = v1::ApplyConfigRequest {
            documents: vec![b'#'; size],
            ..Default::default()
        };
        timeout(DEADLINE, client.apply_config(request))
            .await
            .expect("an answer in time")
    };
    let status = upload(::api::MAX_REQUEST + 1).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    upload(::api::MAX_REQUEST - 1024).await.unwrap();
    let unknown = v1::ApplyConfigRequest {
        mode: 77,
        ..Default::default()
    };
    assert_eq!(
        client.apply_config(unknown).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

/// The caller opens an endless stream and never takes from it. The node must stop making messages once the windows are full.
#[tokio::test]
async fn a_caller_that_never_reads_stops_the_stream_and_nobody_else() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let channel = dial(served.address, cluster.client(Role::Reader))
        .await
        .unwrap();
    let request = v1::EventsRequest {
        follow: true,
        tail: None,
        ..Default::default()
    };
    let stuck = MachineServiceClient::new(channel)
        .events(request)
        .await
        .unwrap();

    let other = dial(served.address, cluster.client(Role::Reader))
        .await
        .unwrap();
    let mut other = MachineServiceClient::new(other);
    let mut before = u64::MAX;
    let quiet = async {
        loop {
            // Each round is a full exchange with the same server, so a stream that can go on has gone on meanwhile.
            for _ in 0..50 {
                other.version(v1::VersionRequest {}).await.unwrap();
            }
            let made = served.node.made.load(Ordering::SeqCst);
            if made == before {
                return made;
            }
            before = made;
        }
    };
    let made = timeout(DEADLINE, quiet).await.expect("the stream stops");
    assert!(made > 0, "the stream began");
    assert!(
        made < 512,
        "{made} messages of 16 KiB were made for a caller that reads none"
    );
    drop(stuck);
}
