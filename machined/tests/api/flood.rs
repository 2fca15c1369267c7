//! Thousands of connections that want nothing, while somebody wants an answer. Ten thousand against a whole node is e2e's.

use std::net::SocketAddr;
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use ::api::v1alpha1::maintenance_service_client::MaintenanceServiceClient;
use machined::api::{Limit, Limits};
use pki::{Role, tls};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fixture::{Cluster, DEADLINE, dial, serve, serve_within};

const FLOOD: usize = 2500;

/// How many of them the node has not closed. Given up ones are closed at once, so this settles.
async fn still_open(held: &[TcpStream], at_most: usize) -> usize {
    let is_open = |stream: &&TcpStream| {
        let read = stream.try_read(&mut [0; 64]);
        matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let settle = async {
        loop {
            let open = held.iter().filter(is_open).count();
            if open <= at_most {
                return open;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, settle)
        .await
        .expect("the node gives up all but so many")
}

/// Opens connections that say `first` and then nothing.
async fn flood(address: SocketAddr, first: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::with_capacity(FLOOD);
    for _ in 0..FLOOD {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may have given the connection up already; that is what it is for.
        stream.write_all(first).await.unwrap_or_default();
        held.push(stream);
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_stuttering_connections_keep_nobody_out() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let before = dial(served.address, cluster.client(Role::Reader))
        .await
        .unwrap();
    let mut before = MachineServiceClient::new(before);
    before.version(v1::VersionRequest {}).await.unwrap();

    let limits = Limits::default();
    let silent = flood(served.address, b"").await;
    let open = still_open(&silent, limits.silent.per_source).await;
    assert!(open > 0, "the newest are kept");
    // The header of a TLS record that never comes.
    let stuttering = flood(served.address, b"\x16\x03\x01\x02\x00").await;

    assert!(
        still_open(
            &stuttering,
            limits.talking.per_source + limits.silent.per_source
        )
        .await
            > 0
    );

    let answers = async {
        let channel = dial(served.address, cluster.client(Role::Reader)).await?;
        let mut after = MachineServiceClient::new(channel);
        after.version(v1::VersionRequest {}).await?;
        before.version(v1::VersionRequest {}).await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    timeout(DEADLINE, answers)
        .await
        .expect("the flood keeps nobody out")
        .unwrap();
    drop((silent, stuttering));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_connections_do_not_keep_out_who_pairs() {
    let anonymous = Limit {
        total: 8,
        per_source: 4,
    };
    let served = serve_within(
        None,
        Limits {
            anonymous,
            ..Limits::default()
        },
    );
    let pin = served.pairing.borrow().pin;
    let config = tls::pinned_client(pin).unwrap();
    let secret = served.pairing.borrow().secret.reveal();

    let mut paired =
        MaintenanceServiceClient::new(dial(served.address, Arc::clone(&config)).await.unwrap());
    paired
        .pair(v1::PairRequest { secret, time: None })
        .await
        .unwrap();
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut client =
            MaintenanceServiceClient::new(dial(served.address, Arc::clone(&config)).await.unwrap());
        client.version(v1::VersionRequest {}).await.unwrap();
        held.push(client);
    }
    let upload = v1::ApplyConfigRequest {
        documents: b"kind: Machine".to_vec(),
        ..Default::default()
    };
    timeout(DEADLINE, paired.apply_config(upload))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn too_many_known_callers_turn_newcomers_away_and_a_free_place_lets_them_in() {
    let proven = Limit {
        total: 3,
        per_source: 3,
    };
    let cluster = Cluster::new();
    let served = serve_within(
        Some(cluster.endpoint()),
        Limits {
            proven,
            ..Limits::default()
        },
    );
    let ask = async || {
        let channel = dial(served.address, cluster.client(Role::Reader)).await;
        let mut client = MachineServiceClient::new(channel.map_err(drop)?);
        client.version(v1::VersionRequest {}).await.map_err(drop)?;
        Ok::<_, ()>(client)
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(ask().await.unwrap());
    }
    ask().await.unwrap_err();
    held[0].version(v1::VersionRequest {}).await.unwrap();
    held.pop();
    let free = async { while ask().await.is_err() {} };
    timeout(DEADLINE, free).await.expect("the place comes free");
}
