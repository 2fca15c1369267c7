//! A member whose file of data is as long as it may be.

use std::fs;

use etcd::AlarmKind;
use machined::kubernetes::etcd::member;
use resources::kubernetes::EtcdSpec;

use super::cluster::Cluster;
use super::node::{self, Node};
use super::{address, programs};

/// Less than etcd takes at once, which is 1.5 MiB.
const VALUE: usize = 1_200_000;

/// Room for a dozen of those.
const QUOTA: u64 = 16 << 20;

#[test]
fn a_full_member_says_so_and_is_well_again_as_the_docs_have_it() {
    let name = "full::a_full_member_says_so_and_is_well_again_as_the_docs_have_it";
    testkit::isolated(name, async || {
        programs::loopback();
        let cluster = Cluster::new();
        let wanted = EtcdSpec {
            heartbeat_ms: 300,
            election_ms: 3000,
            quota_bytes: QUOTA,
            ..EtcdSpec::default()
        };
        let one = Node::start_with(&cluster, "cp-1", address(1), wanted).await;
        one.begin().await;
        one.votes().await;
        let client = cluster.client(address(1));
        assert_eq!(client.status().await.unwrap().quota, QUOTA);

        // Over and over, as something does that writes too much: the history is what fills it.
        let value = one.kept_in().with_extension("value");
        fs::write(&value, vec![b'x'; VALUE]).unwrap();
        node::until("it to be full", async || {
            let refused = one.etcdctl_with(&["put", "f"], &value).await.err()?;
            refused.contains("database space exceeded").then_some(())
        })
        .await;
        let alarms = node::until("an alarm", async || {
            let alarms = client.alarms().await.ok()?;
            (!alarms.is_empty()).then_some(alarms)
        });
        let alarms = alarms.await;
        assert!(
            alarms.iter().all(|it| it.kind == AlarmKind::NoSpace),
            "{alarms:?}"
        );
        let said = one
            .says_of(member::CONDITION, true, "alarm NOSPACE of cp-1")
            .await;
        assert!(said.contains("osctl etcd defrag"), "{said}");
        // Nothing is written, and what is there can be read.
        assert_eq!(one.etcdctl(&["put", "g", "1"]).await, None);
        node::until("what is there", async || {
            one.etcdctl(&["get", "f", "--keys-only"]).await
        })
        .await;

        let revision = client.status().await.unwrap().revision;
        node::until("the history to go", async || {
            client.compact(revision).await.ok()
        })
        .await;
        // The file is as long as before, and the alarm stands until somebody says that it is over.
        assert_eq!(one.etcdctl(&["put", "g", "1"]).await, None);
        let before = client.status().await.unwrap().size;
        client.defragment().await.unwrap();
        let after = client.status().await.unwrap().size;
        assert!(after < before / 2, "{before} before, {after} now");
        for alarm in alarms {
            node::until("the alarm to be over", async || {
                client.disarm(alarm).await.ok()
            })
            .await;
        }
        one.put("g", "1").await;
        one.says_of(member::CONDITION, true, "votes").await;
        assert!(client.alarms().await.unwrap().is_empty());
    });
}
