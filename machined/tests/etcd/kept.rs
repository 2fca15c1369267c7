//! Snapshots that a node takes by itself.

use std::fs;
use std::path::PathBuf;

use etcd::Check;
use machined::kubernetes::etcd::data;
use machined::kubernetes::etcd::snapshots::apply::CONDITION;

use super::cluster::Cluster;
use super::node::{self, Node};
use super::{address, programs};

/// A kept snapshot, whole.
fn whole(folder: PathBuf, name: &str) -> Vec<u8> {
    let bytes = fs::read(folder.join(name)).unwrap();
    let mut check = Check::default();
    check.take(&bytes).unwrap();
    check.end().unwrap();
    bytes
}

/// Waits until there is no condition about them.
async fn nothing_said(node: &Node) {
    node::until("no condition", async || {
        let condition = node::get::<resources::runtime::Condition>(&node.store, CONDITION);
        condition.is_none().then_some(())
    })
    .await;
}

#[test]
fn a_node_takes_snapshots_keeps_some_and_begins_from_one() {
    let name = "kept::a_node_takes_snapshots_keeps_some_and_begins_from_one";
    testkit::isolated(name, async || {
        programs::loopback();
        let cluster = Cluster::new();
        let mut one = Node::start(&cluster, "cp-1", address(1)).await;
        one.begin().await;
        one.votes().await;
        assert_eq!(one.kept(), [], "nobody has asked for any");
        one.put("e", "1").await;
        one.want(|it| {
            it.snapshot_seconds = 30 * 24 * 3600;
            it.snapshots_kept = 2;
        });
        let said = one
            .says_of(CONDITION, true, "1 snapshot of etcd is kept; the next")
            .await;
        let (first, row) = one.kept().pop().unwrap();
        assert_eq!(row.problem, "");
        // etcd says of its data which version it is of when it has run for a while.
        assert!(
            ["", "3.6", "3.7"].contains(&row.version.as_str()),
            "{row:?}"
        );
        // A cluster begins with revision 1, and something was written.
        assert!(row.revision > 1, "{row:?}");
        let bytes = whole(one.kept_in(), &first);
        assert_eq!(row.bytes, u64::try_from(bytes.len()).unwrap());

        // After its next start it goes by the one that it has.
        one.kill().await;
        one.live(&cluster).await;
        let again = one.says_of(CONDITION, true, "is kept; the next").await;
        assert_eq!(again, said);
        one.votes().await;
        assert_eq!(one.kept().len(), 1);

        // More often, and no more than two of them.
        one.put("e", "2").await;
        one.want(|it| it.snapshot_seconds = 1);
        let kept = node::until("the fourth", async || {
            let kept = one.kept();
            let last = kept.last()?.0.as_str() >= "000004-";
            (last && kept.len() <= 2).then_some(kept)
        });
        let last = kept.await.pop().unwrap();
        assert!(last.1.revision > row.revision, "{last:?}");

        // Without room for more they stay, and it says why there are no more.
        one.want(|it| {
            it.snapshots_leave = u64::MAX;
            it.snapshots_kept = 5;
        });
        one.says_of(CONDITION, false, "leaveFree").await;
        // Without a schedule they stay, too.
        one.want(|it| it.snapshot_seconds = 0);
        nothing_said(&one).await;
        let (last, _) = one.kept().pop().unwrap();

        // The data is lost, and what was kept is not.
        one.kill().await;
        one.lose_disk();
        one.live(&cluster).await;
        let mut upload = one.bootstrap.upload(&one.store).await.unwrap();
        upload.take(&whole(one.kept_in(), &last)).unwrap();
        upload.end().await.unwrap();
        one.votes().await;
        one.knows("e", "2").await;
        assert!(!one.bootstrap.folder().join(data::SNAPSHOT).exists());
    });
}
