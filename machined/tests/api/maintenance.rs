//! A node that waits: pairing, the man in the middle, the upload, and the way into running.

use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use ::api::v1alpha1::maintenance_service_client::MaintenanceServiceClient;
use jiff::Timestamp;
use pki::pairing::{MAX_WRONG, PairingSecret, PairingString};
use pki::{Role, tls};
use tonic::Code;
use tonic::transport::Channel;

use super::fixture::{Cluster, Served, dial, serve};

type Client = MaintenanceServiceClient<Channel>;

async fn client(served: &Served) -> Client {
    let pin = served.pairing.borrow().pin;
    let channel = dial(served.address, tls::pinned_client(pin).unwrap())
        .await
        .unwrap();
    MaintenanceServiceClient::new(channel)
}

fn right(served: &Served) -> v1::PairRequest {
    let secret = served.pairing.borrow().secret.reveal();
    v1::PairRequest { secret, time: None }
}

/// A secret that is surely not the node's.
fn wrong(served: &Served) -> v1::PairRequest {
    let right = served.pairing.borrow().secret.clone();
    let mut others = (0..2).map(|byte| PairingSecret::from_bytes([byte; 5]));
    let secret = others.find(|secret| *secret != right).unwrap().reveal();
    v1::PairRequest {
        secret,
        time: Some(prost_types::Timestamp {
            seconds: 1,
            nanos: 0,
        }),
    }
}

fn documents(text: &str) -> v1::ApplyConfigRequest {
    v1::ApplyConfigRequest {
        documents: text.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn pairing_sets_the_clock_and_opens_the_upload_on_this_connection_only() {
    let served = serve(None);
    let (mut paired, mut other) = (client(&served).await, client(&served).await);
    assert_eq!(
        paired
            .version(v1::VersionRequest {})
            .await
            .unwrap()
            .into_inner()
            .version,
        "0.0.0-test"
    );
    let early = paired
        .apply_config(documents("kind: Machine"))
        .await
        .unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition, "{early}");

    let time = Some(prost_types::Timestamp {
        seconds: 1_790_000_000,
        nanos: 5,
    });
    let answer = paired
        .pair(v1::PairRequest {
            time,
            ..right(&served)
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.time, time);
    let clock = *served.node.clock.lock().unwrap();
    assert_eq!(clock, Some(Timestamp::new(1_790_000_000, 5).unwrap()));

    let bad = paired.apply_config(documents("bad")).await.unwrap_err();
    assert_eq!(
        (bad.code(), bad.message()),
        (Code::InvalidArgument, "line 1, column 1: bad")
    );
    // More than a stranger may send, and again after a refusal.
    paired
        .apply_config(documents(&"#".repeat(1 << 20)))
        .await
        .unwrap();
    let asked = served.node.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].0.subject, "pairing");
    assert_eq!(asked[0].1, "apply 1048576");

    let refused = other
        .apply_config(documents("kind: Machine"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
}

#[tokio::test]
async fn five_wrong_strings_make_a_new_one() {
    let mut served = serve(None);
    let mut client = client(&served).await;
    let old = served.pairing.borrow_and_update().clone();
    for left in (1..MAX_WRONG).rev() {
        let status = client.pair(wrong(&served)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(
            status.message().contains(&format!("changes: {left}")),
            "{status}"
        );
    }
    let malformed = v1::PairRequest {
        secret: "UUUU".to_owned(),
        time: None,
    };
    let status = client.pair(malformed).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::InvalidArgument,
        "no attempt is counted for it"
    );
    assert!(!served.pairing.has_changed().unwrap());

    let status = client.pair(wrong(&served)).await.unwrap_err();
    assert!(status.message().contains("new one"), "{status}");
    assert!(served.pairing.has_changed().unwrap());
    let new = served.pairing.borrow_and_update().clone();
    assert_eq!(old.pin, new.pin, "the key stays");
    assert_ne!(old.secret, new.secret);
    assert_eq!(
        *served.node.clock.lock().unwrap(),
        None,
        "a stranger does not move the clock"
    );

    let stale = v1::PairRequest {
        secret: old.secret.reveal(),
        time: None,
    };
    assert_eq!(
        client.pair(stale).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    client.pair(right(&served)).await.unwrap();
}

#[tokio::test]
async fn a_man_in_the_middle_gets_nothing() {
    let (node, impostor) = (serve(None), serve(None));
    let string: PairingString = node.pairing.borrow().clone();
    dial(impostor.address, tls::pinned_client(string.pin).unwrap())
        .await
        .unwrap_err();
    assert!(impostor.records.0.lock().unwrap().is_empty());
    dial(node.address, tls::pinned_client(string.pin).unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stranger_cannot_make_the_node_read_much() {
    let served = serve(None);
    let mut client = client(&served).await;
    let long = v1::PairRequest {
        secret: "0".repeat(1 << 20),
        time: None,
    };
    let status = client.pair(long).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
}

#[tokio::test]
async fn everything_else_is_unavailable_with_the_reason() {
    let served = serve(None);
    let own = pki::maintenance_identity().unwrap();
    let reason = Some("the last configuration crashed machined".to_owned());
    let endpoint = machined::api::Endpoint::maintenance(&own, reason).unwrap();
    let pin = served.pairing.borrow().pin;
    let channel = dial(served.address, tls::pinned_client(pin).unwrap())
        .await
        .unwrap();
    served.endpoint.send_replace(Arc::new(endpoint));
    let status = MachineServiceClient::new(channel)
        .version(v1::VersionRequest {})
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status
            .message()
            .starts_with("node is in maintenance mode: the last configuration crashed"),
        "{status}"
    );
}

#[tokio::test]
async fn after_the_configuration_the_port_asks_for_certificates() {
    let served = serve(None);
    let mut paired = client(&served).await;
    paired.pair(right(&served)).await.unwrap();
    let cluster = Cluster::new();
    served.endpoint.send_replace(Arc::new(cluster.endpoint()));

    let status = paired
        .apply_config(documents("kind: Machine"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status.message().contains("not in maintenance mode"),
        "{status}"
    );
    let pin = served.pairing.borrow().pin;
    dial(served.address, tls::pinned_client(pin).unwrap())
        .await
        .unwrap_err();
    let admin = dial(served.address, cluster.client(Role::Admin))
        .await
        .unwrap();
    MachineServiceClient::new(admin)
        .version(v1::VersionRequest {})
        .await
        .unwrap();
}
