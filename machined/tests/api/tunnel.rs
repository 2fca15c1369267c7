//! A member that is reached through another node.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use ::api::v1alpha1::tunnel_service_client::TunnelServiceClient;
use futures_util::stream::{self, StreamExt as _, unfold};
use hyper_util::rt::TokioIo;
use machined::kubernetes::tunnel::{Members, Tunnel};
use pki::{Role, tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::service_fn;

use super::fixture::{Cluster, dial, serve};

/// A way to the server that serves it, which is the only member.
pub(crate) fn to_itself(address: SocketAddr) -> Tunnel {
    Tunnel::to(address.port(), || {
        let here = vec![Ipv4Addr::LOCALHOST.into()];
        Ok(Members::at(BTreeMap::from([("node-1".to_owned(), here)])))
    })
}

fn to(member: &str) -> v1::ConnectRequest {
    v1::ConnectRequest {
        member: member.to_owned(),
        data: Vec::new(),
    }
}

/// Calls a method by its name, with the least that it takes.
pub(crate) async fn call(channel: Channel, method: &str) -> Option<Result<(), Status>> {
    let mut client = TunnelServiceClient::new(channel);
    let request = stream::iter([to("node-1")]);
    (method == "Connect").then_some(client.connect(request).await.map(drop))
}

/// Bytes to a member and back, over a node that is reached by this channel.
async fn through(channel: Channel, member: &str) -> Result<DuplexStream, Status> {
    let (ours, theirs) = duplex(1 << 16);
    let (from, mut to_us) = split(theirs);
    let pieces = unfold(from, |mut from| async move {
        let mut data = vec![0; 1 << 14];
        let length = from.read(&mut data).await.ok().filter(|it| *it > 0)?;
        data.truncate(length);
        let piece = v1::ConnectRequest {
            data,
            ..v1::ConnectRequest::default()
        };
        Some((piece, from))
    });
    let sent = stream::iter([to(member)]).chain(pieces);
    let mut back = TunnelServiceClient::new(channel)
        .connect(sent)
        .await?
        .into_inner();
    tokio::spawn(async move {
        while let Ok(Some(piece)) = back.message().await {
            to_us.write_all(&piece.data).await.unwrap_or_default();
        }
    });
    Ok(ours)
}

#[tokio::test]
async fn tls_is_between_the_caller_and_the_member() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let reader = cluster.client(Role::Reader);
    let outer = dial(served.address, Arc::clone(&reader)).await.unwrap();
    let stream = through(outer, "node-1").await.unwrap();
    let connector = TlsConnector::from(reader);
    let name = tls::server_name("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let stream = std::sync::Mutex::new(Some(stream));
    let inner = Endpoint::from_static("https://node.invalid")
        .connect_with_connector(service_fn(move |_| {
            let stream = stream.lock().unwrap().take();
            async {
                stream
                    .map(TokioIo::new)
                    .ok_or(std::io::Error::other("once"))
            }
        }))
        .await
        .unwrap();
    let version = MachineServiceClient::new(inner)
        .version(v1::VersionRequest {})
        .await;
    assert_eq!(version.unwrap().into_inner().version, "0.0.0-test");
    let record = served.records.wait(|it| it.method.ends_with("/Connect"));
    assert_eq!(record.await.target, "member \"node-1\"");
}

#[tokio::test]
async fn it_leads_to_members_alone() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let channel = dial(served.address, cluster.client(Role::Admin)).await;
    let channel = channel.unwrap();
    for nobody in ["node-2", "10.0.0.1", "localhost"] {
        let refused = through(channel.clone(), nobody).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{nobody}");
        assert!(refused.message().ends_with("this node knows node-1"));
    }
    let silent = TunnelServiceClient::new(channel)
        .connect(stream::empty())
        .await;
    assert_eq!(silent.unwrap_err().code(), Code::InvalidArgument);
}
