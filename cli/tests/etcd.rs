//! Looking after etcd.

mod home;
mod node;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use home::{Home, text};
use node::{Node, Stands};
use tonic::Status;

/// A home whose context leads to a node.
fn with_node() -> (Home, Node) {
    let home = Home::new();
    home.fine("gen secrets");
    home.fine("gen config node-1");
    let config = fs::read_to_string(home.path().join("node-1.yaml")).expect("a config");
    let (node, address) = Node::serve(&config);
    home.fine(&format!("gen crt --name lab --node node-1={address}"));
    (home, node)
}

/// A home whose context leads to two nodes.
fn with_nodes() -> (Home, Node, Node) {
    let home = Home::new();
    home.fine("gen secrets");
    let serve = |name: &str| {
        home.fine(&format!("gen config {name}"));
        let config = fs::read_to_string(home.path().join(format!("{name}.yaml")));
        Node::serve(&config.expect("a config"))
    };
    let ((first, one), (second, two)) = (serve("node-1"), serve("node-2"));
    home.fine(&format!(
        "gen crt --name lab --node node-1={one} --node node-2={two}"
    ));
    (home, first, second)
}

/// A file of data as etcd's begins, with its sum behind it.
fn snapshot() -> Vec<u8> {
    snapshot_of(4096)
}

fn snapshot_of(length: usize) -> Vec<u8> {
    let mut bytes = vec![7; length];
    bytes
        .get_mut(16..20)
        .expect("room")
        .copy_from_slice(&0xED0C_DAED_u32.to_le_bytes());
    let sum = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let sum = sum
        .tls13()
        .expect("TLS 1.3")
        .common
        .hash_provider
        .hash(&bytes);
    bytes.extend_from_slice(sum.as_ref());
    bytes
}

/// The files that `osctl` left beside what `gen` made.
fn files(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path()).expect("listed");
    let names = entries.map(|it| it.expect("listed").file_name().into_string().expect("text"));
    names.filter(|it| it.contains("snapshot")).collect()
}

#[test]
fn a_snapshot_is_whole_and_for_its_owner_alone() {
    let (home, node) = with_node();
    node.kept().snapshot = snapshot();
    let said = home.fine("etcd snapshot a.snapshot");
    assert_eq!(said, "a.snapshot: snapshot of 4 KiB from node-1\n");
    let path = home.path().join("a.snapshot");
    assert_eq!(fs::read(&path).expect("there"), snapshot());
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let refused = home.fails("etcd snapshot a.snapshot", 1);
    assert!(refused.contains("--force"), "{refused}");
    let said = home.fine("etcd snapshot a.snapshot --force -o json");
    assert!(said.contains("\"bytes\": 4128"), "{said}");
    assert_eq!(files(&home), ["a.snapshot"]);
}

#[test]
fn what_is_no_snapshot_gets_no_name() {
    let (home, node) = with_node();
    let mut damaged = snapshot();
    *damaged.get_mut(3000).expect("long enough") ^= 1;
    let short = snapshot().get(..3000).expect("long enough").to_vec();
    for (bytes, word) in [
        (damaged, "damaged"),
        (short, "missing"),
        (
            b"hello, world; this is no snapshot".to_vec(),
            "does not begin",
        ),
        (Vec::new(), "sent nothing"),
    ] {
        node.kept().snapshot = bytes;
        let said = home.fails("etcd snapshot b.snapshot", 1);
        assert!(said.contains(word), "{word}: {said}");
        assert_eq!(files(&home), [""; 0]);
    }
}

#[test]
fn a_cluster_begins_from_a_whole_snapshot_alone() {
    let (home, node) = with_node();
    fs::write(home.path().join("c.snapshot"), snapshot()).expect("written");
    let said = home.fine("bootstrap --recover-from c.snapshot --no-wait");
    assert_eq!(said, "node-1: the cluster begins\n");
    assert_eq!(node.kept().snapshot, snapshot());

    node.kept().snapshot.clear();
    fs::write(home.path().join("c.snapshot"), &snapshot()[..4096]).expect("written");
    let said = home.fails("bootstrap --recover-from c.snapshot --no-wait", 1);
    assert!(said.contains("no whole snapshot"), "{said}");
    fs::write(home.path().join("c.snapshot"), vec![7; 4096]).expect("written");
    let said = home.fails("bootstrap --recover-from c.snapshot --no-wait", 1);
    assert!(said.contains("`osctl etcd snapshot` makes one"), "{said}");
    let said = home.fails("bootstrap --recover-from nothing --no-wait", 1);
    assert!(said.contains("reading nothing"), "{said}");
    assert!(node.kept().snapshot.is_empty(), "nothing was sent");
}

#[test]
fn a_snapshot_that_a_node_keeps_is_fetched_by_its_name() {
    let (home, node) = with_node();
    let said = home.fine("etcd snapshots");
    assert!(said.contains("no snapshots are kept"), "{said}");
    let said = home.fine("etcd snapshots -o json");
    assert!(said.contains("\"snapshots\": []"), "{said}");
    node.kept().snapshot = snapshot();
    let said = home.fine("etcd snapshots list");
    assert!(said.contains("000007-20261122T085210Z"), "{said}");
    assert!(
        said.contains("184467") && said.contains(" 5feceb66ffc8\n"),
        "{said}"
    );
    let said = home.fine("etcd snapshots -o json");
    assert!(
        said.contains("\"sha256\": \"5feceb66ffc86f38d952786c6d696c79\""),
        "{said}"
    );

    let said = home.fine("etcd snapshots get 000007-20261122T085210Z kept.snapshot");
    assert_eq!(said, "kept.snapshot: snapshot of 4 KiB from node-1\n");
    let path = home.path().join("kept.snapshot");
    assert_eq!(fs::read(path).expect("there"), snapshot());
    let said = home.fails(
        "etcd snapshots get 000008-20261122T145210Z other.snapshot",
        1,
    );
    assert!(said.contains("keeps no snapshot"), "{said}");
    assert_eq!(files(&home), ["kept.snapshot"]);
}

#[test]
fn members_are_listed_and_workers_left_out() {
    let (home, _node) = with_node();
    let listed = home.fine("etcd members");
    assert!(listed.contains("8e9e05c52164694d"), "{listed}");
    assert!(listed.contains("voter"), "{listed}");
    let listed = home.fine("etcd members -o json");
    assert!(
        listed.contains("\"cluster\": \"cdf818194e3a8c32\""),
        "{listed}"
    );
    assert_eq!(home.fine("etcd alarms"), "there are no alarms\n");
    assert_eq!(home.fine("etcd alarms list -o json"), "[]\n");
    let said = home.fine("etcd compact");
    assert!(
        said.contains("184467") && said.contains("osctl etcd defrag"),
        "{said}"
    );
    assert!(
        home.fine("etcd compact -o json")
            .contains("\"revision\": 184467")
    );
    // One that was not named has no etcd, and that is nothing wrong.
    assert_eq!(home.fine("etcd status"), "");
    let refused = home.fails("etcd status -n node-1", 1);
    assert!(refused.contains("there is no etcd"), "{refused}");
}

/// Ends an `osctl` as soon as the node stands still; what it complained.
fn ended(home: &Home, node: &Node, stands: Stands, line: &str) -> String {
    let (standing, stood) = channel();
    {
        let mut kept = node.kept();
        (kept.stands, kept.standing) = (stands, Some(standing));
    }
    let mut command = home.command(line);
    let mut osctl = command.stderr(Stdio::piped()).spawn().expect("osctl runs");
    // Looks now and then whether there is anything to wait for.
    let often = Duration::from_millis(100);
    while stood.recv_timeout(often) == Err(RecvTimeoutError::Timeout) {
        let gone = osctl.try_wait().expect("a child");
        assert_eq!(gone, None, "{line} ended by itself");
    }
    let kill = format!("kill -TERM {}", osctl.id());
    let killed = Command::new("sh").args(["-c", &kill]).status();
    assert!(killed.expect("a shell").success());
    let output = osctl.wait_with_output().expect("it ends");
    node.kept().standing = None;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(143), "{line}: {said}");
    said
}

#[test]
fn who_ends_it_leaves_no_half_a_snapshot() {
    let (home, node) = with_node();
    node.kept().snapshot = snapshot();
    let said = ended(&home, &node, Stands::Early, "etcd snapshot d.snapshot");
    assert!(said.contains("interrupted; no snapshot was kept"), "{said}");
    assert_eq!(files(&home), [""; 0]);
}

#[test]
fn who_ends_a_recovery_is_told_what_the_node_has() {
    let (home, node) = with_node();
    // More than is on its way to a node that takes nothing.
    let bytes = snapshot_of(8 << 20);
    fs::write(home.path().join("e.snapshot"), bytes).expect("written");
    let line = "bootstrap --recover-from e.snapshot --no-wait";
    let said = ended(&home, &node, Stands::Early, line);
    assert!(
        said.contains("node-1 has nothing of the snapshot"),
        "{said}"
    );
    let said = ended(&home, &node, Stands::Late, line);
    assert!(
        said.contains("node-1 has the whole snapshot and may begin from it"),
        "{said}"
    );
}

#[test]
fn the_next_node_is_asked_when_one_cannot_be() {
    let (home, first, second) = with_nodes();
    first.kept().refuses = Some(Status::unavailable("etcd is down"));
    assert!(home.fine("etcd members").contains("8e9e05c52164694d"));
    home.fine("etcd remove-member gone");
    assert_eq!((first.kept().removals, second.kept().removals), (0, 1));
    second.kept().refuses = Some(Status::unavailable("no leader"));
    let said = home.fails("etcd members", 1);
    assert!(
        said.contains("node-1: etcd is down") && said.contains("none of 2 nodes"),
        "{said}"
    );
}

#[test]
fn what_a_node_refuses_is_not_asked_of_the_next() {
    let (home, first, second) = with_nodes();
    first.kept().refuses = Some(Status::not_found("etcd has no member \"gone\""));
    let said = home.fails("etcd remove-member gone", 1);
    assert_eq!(said, "osctl: node-1: etcd has no member \"gone\"\n");
    assert_eq!(second.kept().removals, 0);
}

#[test]
fn a_worker_is_not_what_is_wrong() {
    let (home, first, second) = with_nodes();
    let none = "there is no etcd here";
    first.kept().refuses = Some(Status::unimplemented(none));
    assert!(home.fine("etcd members").contains("8e9e05c52164694d"));
    second.kept().refuses = Some(Status::unavailable("no leader"));
    let said = home.fails("etcd members", 1);
    assert_eq!(said, "osctl: node-2: no leader\n");
    second.kept().refuses = Some(Status::unimplemented(none));
    let said = home.fails("etcd members", 1);
    assert_eq!(said, "osctl: node-1: there is no etcd here\n");
}
