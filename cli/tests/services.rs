//! Ordering services about, and waiting for what becomes of them.

mod home;
mod node;

use std::fs;

use home::{Home, text};
use node::Node;
use resources::runtime::{Health, ServiceState, ServiceStatus};

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

fn status(state: ServiceState, reason: &str) -> ServiceStatus {
    ServiceStatus {
        state,
        reason: reason.to_owned(),
        ..ServiceStatus::default()
    }
}

#[test]
fn an_order_is_done_when_the_service_is_where_it_was_ordered_to() {
    let (home, node) = with_node();
    let healthy = ServiceStatus {
        health: Health::Healthy,
        ..status(ServiceState::Running, "")
    };
    node.kept().becomes = vec![status(ServiceState::Starting, ""), healthy.clone()];
    let started = home.run("services start example");
    assert_eq!(text(&started.stdout), "node-1: example runs\n");
    assert_eq!(started.status.code(), Some(0), "{}", text(&started.stderr));

    node.kept().becomes = vec![status(ServiceState::Stopping, "asked to end"), healthy];
    let again = home.fine("services restart example -o json");
    assert!(again.contains("\"result\": \"runs\""), "{again}");

    node.kept().becomes = vec![
        status(ServiceState::Stopping, "asked to end"),
        status(ServiceState::Stopped, "stopped by order"),
    ];
    assert_eq!(
        home.fine("services stop example"),
        "node-1: example has stopped\n"
    );
}

#[test]
fn a_service_that_fails_is_told_with_its_own_reason() {
    let (home, node) = with_node();
    node.kept().becomes = vec![
        status(ServiceState::Starting, ""),
        status(ServiceState::Failed, "could not be started: no such file"),
    ];
    let failed = home.fails("services start example", 1);
    assert!(
        failed.contains("osctl: node-1: example has failed: could not be started: no such file"),
        "{failed}"
    );
    node.kept().becomes = vec![status(ServiceState::Restarting, "exited with status 7")];
    let failed = home.fails("services restart example", 1);
    assert!(
        failed.contains("example ended, and is started again: exited with status 7"),
        "{failed}"
    );
    assert!(
        failed.contains("`osctl logs example -n node-1`"),
        "{failed}"
    );

    // Who does not wait does not hear of it.
    assert_eq!(
        home.fine("services restart example --no-wait"),
        "node-1: example restarts\n"
    );
}
