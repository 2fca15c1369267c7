//! Reaching a node through another one of its cluster.

mod home;
mod node;

use std::fs;
use std::net::SocketAddr;

use home::Home;
use node::Node;
use tokio::net::TcpSocket;

/// A home whose context leads to the first of two nodes, and to a place where the second one does not listen.
struct Lab {
    home: Home,
    first: Node,
    second: SocketAddr,
    /// Held, so that nobody else listens there.
    _nobody: TcpSocket,
}

fn lab() -> Lab {
    let home = Home::new();
    home.fine("gen secrets");
    let serve = |name: &str| {
        home.fine(&format!("gen config {name}"));
        let config = fs::read_to_string(home.path().join(format!("{name}.yaml")));
        Node::serve(&config.expect("a config"))
    };
    let ((first, one), (_, second)) = (serve("node-1"), serve("node-2"));
    let nobody = TcpSocket::new_v4().expect("a socket");
    nobody
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let wrong = nobody.local_addr().expect("an address");
    home.fine(&format!(
        "gen crt --name lab --node node-1={one} --node node-2={wrong}"
    ));
    Lab {
        home,
        first,
        second,
        _nobody: nobody,
    }
}

#[test]
fn a_node_that_is_not_reached_straight_is_reached_through_another() {
    let lab = lab();
    let members = [("node-2".to_owned(), lab.second)].into();
    lab.first.kept().members = members;
    let shown = lab.home.fine("-n node-2 config show --reveal-secrets");
    assert!(shown.contains("hostname: node-2"), "{shown}");
}

#[test]
fn a_way_that_hangs_keeps_nobody_from_hearing_of_the_others() {
    let lab = lab();
    // Callers are taken by the system, and nobody answers them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    lab.home.fine(&format!("context set-node node-1={address}"));
    let told = lab.home.fails("-n node-2 --timeout 2 config show", 1);
    assert!(
        told.contains("straight: Connection refused; through node-1: "),
        "{told}"
    );
}

#[test]
fn where_no_way_leads_every_one_is_named() {
    let lab = lab();
    let told = lab.home.fails("-n node-2 config show", 1);
    assert!(
        told.contains("straight: Connection refused; through node-1: nobody is \"node-2\""),
        "{told}"
    );
}
