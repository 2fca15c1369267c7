//! Membership of etcd: the real program, several times over, under the real controllers of as many nodes.
//!
//! The nodes are in this process and have an address of the loopback each, in a network namespace of the test's own. What
//! runs a node's services is a few lines here; everything else is what a node runs. `GARBOARD_ETCD` names a folder with
//! etcd's programs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole program is a test; the lints' exception for tests does not see its helpers"
)]

mod cluster;
mod full;
mod kept;
mod node;
mod programs;
mod services;

use std::net::Ipv4Addr;

use etcd::Client;
use machined::kubernetes::etcd::{data, leave};

use cluster::Cluster;
use node::Node;

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, last)
}

/// The names of those that vote, in order.
async fn voters(client: &Client) -> Vec<String> {
    let Ok(all) = client.members().await else {
        return Vec::new();
    };
    let voters = all.members.into_iter().filter(|it| !it.learner);
    let mut names: Vec<_> = voters.map(|it| it.name).collect();
    names.sort();
    names
}

const ALL: [&str; 3] = ["cp-1", "cp-2", "cp-3"];

async fn all_vote(cluster: &Cluster) {
    let client = cluster.client(address(1));
    node::until("three members with a vote", async || {
        (voters(&client).await == ALL).then_some(())
    })
    .await;
}

/// Three nodes, the first of which began.
async fn three(cluster: &Cluster) -> (Node, Node, Node) {
    let one = Node::start(cluster, "cp-1", address(1)).await;
    one.begin().await;
    one.votes().await;
    let two = Node::start(cluster, "cp-2", address(2)).await;
    let three = Node::start(cluster, "cp-3", address(3)).await;
    two.votes().await;
    three.votes().await;
    all_vote(cluster).await;
    (one, two, three)
}

#[test]
fn a_member_is_lost_and_comes_back() {
    testkit::isolated("a_member_is_lost_and_comes_back", async || {
        programs::loopback();
        let cluster = Cluster::new();
        let (one, _two, mut three) = three(&cluster).await;
        one.put("a", "1").await;

        // Without it the others go on, and it knows what it missed when it is back.
        three.kill().await;
        one.put("a", "2").await;
        three.live(&cluster).await;
        three.votes().await;
        three.knows("a", "2").await;

        // The disk is lost: what it was before is nobody any more.
        let client = cluster.client(address(1));
        let id = async |name: &str| {
            let all = client.members().await.unwrap().members;
            all.into_iter().find(|it| it.name == name).map(|it| it.id)
        };
        let before = id("cp-3").await;
        three.kill().await;
        three.lose_disk();
        three.live(&cluster).await;
        three.votes().await;
        all_vote(&cluster).await;
        assert_ne!(id("cp-3").await, before);
        three.knows("a", "2").await;
    });
}

#[test]
fn a_node_is_replaced_under_its_name_but_not_while_it_is_up() {
    testkit::isolated(
        "a_node_is_replaced_under_its_name_but_not_while_it_is_up",
        async || {
            programs::loopback();
            let cluster = Cluster::new();
            let (one, two, mut third) = three(&cluster).await;
            one.put("b", "1").await;

            let twin = Node::start(&cluster, "cp-3", address(13)).await;
            twin.says("it is up").await;
            all_vote(&cluster).await;
            drop(twin);

            third.kill().await;
            drop(third);
            let new = Node::start(&cluster, "cp-3", address(23)).await;
            new.votes().await;
            all_vote(&cluster).await;
            new.knows("b", "1").await;
            drop((one, two));
        },
    );
}

#[test]
fn a_node_leaves_is_removed_and_joins_again() {
    testkit::isolated("a_node_leaves_is_removed_and_joins_again", async || {
        programs::loopback();
        let cluster = Cluster::new();
        let (one, _two, third) = three(&cluster).await;
        let tls = cluster.tls();
        // Right after it joined, etcd does not take the cluster for well yet.
        let left = node::until("it to leave", async || {
            let own = third.client_address();
            leave::leave(&third.bootstrap, &third.store, own, &tls)
                .await
                .ok()
        });
        assert!(left.await);
        third.says("has left").await;
        let client = cluster.client(address(1));
        assert_eq!(voters(&client).await, ["cp-1", "cp-2"]);
        assert_eq!(
            data::look(third.bootstrap.folder()).unwrap(),
            data::Data::Left
        );
        assert!(
            leave::join(&third.bootstrap, &third.store, false)
                .await
                .unwrap()
        );
        third.votes().await;
        all_vote(&cluster).await;

        // Somebody else removes it: it says so, and what to do.
        let all = client.members().await.unwrap().members;
        let id = all.iter().find(|it| it.name == "cp-3").unwrap().id;
        node::until("the removal", async || client.remove(id).await.ok()).await;
        third.says("osctl etcd join").await;
        let early = leave::join(&third.bootstrap, &third.store, false).await;
        assert!(early.is_err(), "nobody said that it was removed");
        assert!(
            leave::join(&third.bootstrap, &third.store, true)
                .await
                .unwrap()
        );
        third.votes().await;
        all_vote(&cluster).await;

        one.put("c", "1").await;
        third.knows("c", "1").await;

        // Removed by somebody else, or by an order to leave that was cut off: its own member cannot be asked any more.
        let all = client.members().await.unwrap().members;
        let id = all.iter().find(|it| it.name == "cp-3").unwrap().id;
        node::until("the removal", async || client.remove(id).await.ok()).await;
        third.says("osctl etcd join").await;
        let own = third.client_address();
        let left = leave::leave(&third.bootstrap, &third.store, own, &tls).await;
        assert!(left.unwrap());
        assert_eq!(
            data::look(third.bootstrap.folder()).unwrap(),
            data::Data::Left
        );
    });
}

#[test]
fn a_cluster_begins_from_a_snapshot() {
    testkit::isolated("a_cluster_begins_from_a_snapshot", async || {
        programs::loopback();
        let cluster = Cluster::new();
        let mut one = Node::start(&cluster, "cp-1", address(1)).await;
        one.begin().await;
        one.votes().await;
        one.put("d", "before").await;
        let before = cluster.client(address(1)).members().await.unwrap().cluster;
        let snapshot = cluster.snapshot(address(1)).await;
        one.put("d", "after").await;
        one.kill().await;
        one.lose_disk();
        one.live(&cluster).await;

        let mut upload = one.bootstrap.upload(&one.store).await.unwrap();
        for part in snapshot.chunks(65_536) {
            upload.take(part).unwrap();
        }
        upload.end().await.unwrap();
        one.votes().await;
        one.knows("d", "before").await;
        let after = cluster.client(address(1)).members().await.unwrap().cluster;
        assert_ne!(
            before, after,
            "members of the old cluster are none of this one"
        );
        assert!(!one.bootstrap.folder().join(data::SNAPSHOT).exists());

        let two = Node::start(&cluster, "cp-2", address(2)).await;
        two.votes().await;
        two.knows("d", "before").await;
    });
}
