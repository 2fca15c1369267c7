//! Ending nodes, and what is heard of it.

mod home;
mod node;

use std::fs;

use api::v1alpha1::Drain;
use home::{Home, text};
use node::Node;
use resources::runtime::{Departure, DepartureState, LAST};

/// A home whose context leads to nodes of these names.
fn with_nodes(names: &[&str]) -> (Home, Vec<Node>) {
    let home = Home::new();
    home.fine("gen secrets");
    let (mut nodes, mut line) = (Vec::new(), "gen crt --name lab".to_owned());
    for name in names {
        home.fine(&format!("gen config {name}"));
        let config = fs::read_to_string(home.path().join(format!("{name}.yaml")));
        let (node, address) = Node::serve(&config.expect("a config"));
        line.push_str(&format!(" --node {name}={address}"));
        nodes.push(node);
    }
    home.fine(&line);
    (home, nodes)
}

fn departure(state: DepartureState, reason: &str) -> Departure {
    Departure {
        state,
        reason: reason.to_owned(),
        ..Departure::default()
    }
}

#[test]
fn a_node_is_followed_to_its_end_and_what_became_of_its_pods_is_told() {
    let (home, nodes) = with_nodes(&["node-1"]);
    let [node] = nodes.as_slice() else { panic!() };
    // An order that came to nothing before.
    node.tell(LAST, departure(DepartureState::Failed, "long ago"));
    node.kept().departs = vec![
        departure(DepartureState::Draining, ""),
        departure(
            DepartureState::Ending,
            "not drained in time: default/web: ends",
        ),
    ];
    let done = home.run("reboot");
    assert_eq!(text(&done.stdout), "node-1: reboots\n");
    let told = text(&done.stderr);
    assert!(
        told.contains("node-1: not drained in time: default/web: ends"),
        "{told}"
    );
    let drain = |skip, seconds| Some(Drain { skip, seconds });
    assert_eq!(node.kept().drain, drain(false, 300));
    home.fine("shutdown --drain-timeout 7");
    assert_eq!(node.kept().drain, drain(false, 7));
    assert_eq!(home.fine("shutdown --no-drain"), "node-1: shuts down\n");
    assert_eq!(node.kept().drain, drain(true, 300));
    home.fails("reboot --no-drain --drain-timeout 7", 2);
    home.fails("reboot --drain-timeout 0", 2);
}

#[test]
fn a_node_that_stays_says_why_and_those_after_it_are_left() {
    let (home, nodes) = with_nodes(&["node-1", "node-2"]);
    let [first, second] = nodes.as_slice() else {
        panic!()
    };
    first.kept().departs = vec![
        departure(DepartureState::Draining, ""),
        departure(DepartureState::Failed, "etcd cannot be left"),
    ];
    second.kept().departs = vec![departure(DepartureState::Ending, "")];
    let told = home.fails("shutdown -n node-1,node-2", 1);
    assert!(
        told.contains("the node stays: etcd cannot be left"),
        "{told}"
    );
    assert!(
        told.contains("the nodes after it are left as they are"),
        "{told}"
    );
    assert_eq!(second.kept().drain, None);
    let told = home.fails("shutdown -n node-2,node-1", 1);
    assert!(told.contains("the node stays"), "{told}");
    assert!(second.kept().drain.is_some());
}
