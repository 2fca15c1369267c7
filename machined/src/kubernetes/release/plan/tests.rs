use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn release(text: &str) -> Release {
    text.parse().unwrap()
}

fn server(place: &str, release: &str) -> Server {
    Server {
        place: place.to_owned(),
        own: place == "own",
        release: release.parse().ok(),
    }
}

fn record(served: &str, clients: &str) -> Record {
    Record {
        served: served.parse().ok(),
        clients: clients.parse().ok(),
    }
}

/// What a node of the control plane, or a worker, does: API server, clients, and what holds it.
fn planned(
    control_plane: bool,
    wanted: &str,
    record: Record,
    servers: &[Server],
) -> (String, String, String) {
    let plan = plan(&Facts {
        wanted: release(wanted),
        control_plane,
        record,
        servers,
    });
    let held = plan.held.map(|it| it.to_string()).unwrap_or_default();
    (told(plan.api_server), told(plan.clients), held)
}

#[test]
fn the_first_node_begins_with_what_it_is_told() {
    let own = [server("own", "")];
    let (api_server, clients, held) = planned(true, "1.37.1", Record::default(), &own);
    assert_eq!((&*api_server, &*clients, &*held), ("1.37.1", "1.37.1", ""));
    // And after a reboot, before anybody answers.
    let (_, clients, held) = planned(true, "1.37.2", record("1.37.1", "1.37.1"), &own);
    assert_eq!((&*clients, &*held), ("1.37.2", ""));
}

#[test]
fn a_control_plane_goes_first_and_the_rest_waits_for_all_of_them() {
    let before = record("1.36.3", "1.36.3");
    let (api_server, clients, held) = planned(true, "1.37.1", before, &[server("own", "1.36.3")]);
    assert_eq!((&*api_server, &*clients), ("1.37.1", "1.36.3"));
    assert!(held.starts_with("kubelet may not be newer"), "{held}");
    let served = record("1.37.1", "1.36.3");
    let (own, old) = (server("own", "1.37.1"), server("10.5.0.3:6443", "1.36.3"));
    let (_, clients, held) = planned(true, "1.37.1", served, &[own.clone(), old]);
    assert_eq!(clients, "1.36.3");
    assert!(held.ends_with("an API server is 1.36.3"), "{held}");
    let new = server("10.5.0.3:6443", "1.37.0");
    let (_, clients, held) = planned(true, "1.37.1", served, &[own, new]);
    assert_eq!((&*clients, &*held), ("1.37.1", ""));
}

#[test]
fn nobody_moves_while_a_server_has_not_said_what_it_is() {
    let before = record("1.37.1", "1.36.3");
    let servers = [server("own", "1.37.1"), server("10.5.0.3:6443", "")];
    let (_, clients, held) = planned(true, "1.37.1", before, &servers);
    assert_eq!(clients, "1.36.3");
    assert!(held.contains("10.5.0.3:6443 has not said"), "{held}");
    let (_, clients, held) = planned(false, "1.37.1", record("", "1.36.3"), &[]);
    assert_eq!(clients, "1.36.3");
    assert!(held.contains("no API server has said"), "{held}");
}

#[test]
fn clients_become_older_ones_without_asking() {
    let (_, clients, held) = planned(false, "1.36.3", record("", "1.37.1"), &[]);
    assert_eq!((&*clients, &*held), ("1.36.3", ""));
}

#[test]
fn a_new_node_that_is_too_new_runs_nothing() {
    let old = [server("10.5.0.2:6443", "1.36.3")];
    for control_plane in [false, true] {
        let (_, clients, held) = planned(control_plane, "1.37.1", Record::default(), &old);
        assert_eq!(clients, "");
        assert!(held.starts_with("kubelet may not be newer"), "{held}");
    }
    let new = [server("10.5.0.2:6443", "1.37.1")];
    let (api_server, clients, _) = planned(false, "1.37.1", Record::default(), &new);
    assert_eq!((&*api_server, &*clients), ("", "1.37.1"));
}

#[test]
fn an_api_server_that_has_answered_is_not_followed_by_an_older_one() {
    let own = [server("own", "1.37.1")];
    let (api_server, clients, held) = planned(true, "1.36.3", record("1.37.1", "1.37.1"), &own);
    assert_eq!((&*api_server, &*clients), ("1.37.1", "1.37.1"));
    assert!(held.contains("may not go down a minor"), "{held}");
    // One that never has is.
    let (api_server, clients, held) = planned(true, "1.36.3", record("1.36.3", "1.36.3"), &[]);
    assert_eq!((&*api_server, &*clients, &*held), ("1.36.3", "1.36.3", ""));
    let far = [server("10.5.0.3:6443", "1.35.0")];
    let (api_server, _, held) = planned(true, "1.37.1", record("1.36.3", "1.36.3"), &far);
    assert_eq!(api_server, "1.36.3");
    assert!(held.contains("one minor apart"), "{held}");
}

/// What happens to a node of a cluster.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It gets a config with this minor.
    Config(u16),
    /// It asks all API servers what they are, and goes by that.
    Looks,
    /// It starts again, knows of nobody, and goes by that.
    Boots,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    wanted: Release,
    record: Record,
    api_server: Option<Release>,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (35u16..=39).prop_map(Event::Config),
        Just(Event::Looks),
        Just(Event::Looks),
        Just(Event::Boots),
    ]
}

proptest! {
    /// Three nodes of a control plane and two workers, with whatever configs in whatever order.
    #[test]
    fn no_order_of_configs_breaks_a_rule(events in vec((0usize..5, event()), 0..60)) {
        let first = release("1.36.0");
        let begins = |index: usize| Node {
            wanted: first,
            record: Record { served: (index < 3).then_some(first), clients: Some(first) },
            api_server: (index < 3).then_some(first),
        };
        let mut nodes: Vec<Node> = (0..5).map(begins).collect();
        for (index, event) in events {
            let heard: Vec<Server> = match event {
                Event::Config(minor) => {
                    nodes[index].wanted = release(&format!("1.{minor}.0"));
                    continue;
                }
                Event::Looks => nodes.iter().enumerate().filter_map(|(other, node)| {
                    let release = Some(node.api_server?);
                    Some(Server { place: other.to_string(), own: other == index, release })
                }).collect(),
                Event::Boots => Vec::new(),
            };
            let node = &mut nodes[index];
            let Node { wanted, record, .. } = *node;
            let plan = plan(&Facts { wanted, control_plane: index < 3, record, servers: &heard });
            node.record.clients = plan.clients;
            if let (Some(from), Some(to)) = (node.api_server, plan.api_server) {
                prop_assert!(skew::follows(from, to).is_ok(), "from {from} to {to}");
            }
            node.api_server = plan.api_server;
            // It answers, and its node hears it.
            node.record.served = record.served.max(plan.api_server);
            let servers: Vec<_> = nodes.iter().filter_map(|it| it.api_server).collect();
            let clients = nodes[index].record.clients.unwrap();
            if matches!(event, Event::Looks) {
                prop_assert!(servers.iter().all(|it| clients <= *it), "{clients} asks {servers:?}");
            }
        }
    }
}
