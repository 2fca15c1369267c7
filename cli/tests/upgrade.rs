//! Upgrading Kubernetes on a cluster of nodes that do what their configs say.

mod home;
mod node;

use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use api::v1alpha1::Workload;
use home::{Home, text};
use node::Node;
use resources::kubernetes::{
    ApiServerEndpoint, KUBERNETES, KubernetesRelease, KubernetesSpec, NodeStatus,
};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::{Health, ServiceState, ServiceStatus};

const OLD: &str = "1.36.3";
const NEW: &str = "1.37.1";

/// The nodes, and whether each is of the control plane.
const NODES: [(&str, bool); 3] = [("cp-1", true), ("cp-2", true), ("worker-1", false)];

/// A node and what of Kubernetes it runs.
struct Member {
    node: Node,
    name: &'static str,
    control_plane: bool,
    wanted: String,
    clients: String,
}

impl Member {
    fn api_server(&self) -> &str {
        if self.control_plane { &self.wanted } else { "" }
    }

    /// Says what it is, and what it knows of the others.
    fn tell(&self, others: &[Member]) {
        let node = &self.node;
        node.tell(
            HOSTNAME,
            HostnameSpec {
                hostname: self.name.to_owned(),
                ..HostnameSpec::default()
            },
        );
        node.tell(
            KUBERNETES,
            KubernetesSpec {
                version: self.wanted.clone(),
                control_plane: self.control_plane,
                ..KubernetesSpec::default()
            },
        );
        node.tell(
            KUBERNETES,
            KubernetesRelease {
                wanted: self.wanted.clone(),
                api_server: self.api_server().to_owned(),
                clients: self.clients.clone(),
                served: self.api_server().to_owned(),
                held: String::new(),
            },
        );
        for name in ["kubelet", "etcd"] {
            let well = ServiceStatus {
                state: ServiceState::Running,
                health: Health::Healthy,
                ..ServiceStatus::default()
            };
            node.tell(name, well);
        }
        for other in others {
            let status = NodeStatus {
                ready: true,
                kubelet_version: format!("v{}", other.clients),
                ..NodeStatus::default()
            };
            node.tell(other.name, status);
            if other.control_plane {
                let server = ApiServerEndpoint {
                    node: other.name.to_owned(),
                    well: true,
                    version: other.api_server().to_owned(),
                    ..ApiServerEndpoint::default()
                };
                node.tell(&format!("{}:6443", other.name), server);
            }
        }
    }
}

/// What happened, when no more can: the nodes go on by themselves until then.
struct Cluster {
    home: Home,
    nodes: Vec<Node>,
    happened: JoinHandle<Vec<String>>,
}

impl Cluster {
    /// A cluster in which these nodes have the new version in their configs already.
    fn with(done: &[&str]) -> Self {
        let home = Home::new();
        home.fine("gen secrets --kubernetes-endpoint 10.5.0.2");
        let (sender, events) = channel();
        let mut line = "gen crt --name lab".to_owned();
        let members = NODES.map(|(name, control_plane)| {
            home.fine(&format!("gen config {name}"));
            let file = home.path().join(format!("{name}.yaml"));
            let config = fs::read_to_string(file).expect("a config");
            let wanted = if done.contains(&name) { NEW } else { OLD };
            let (before, after) = (format!("version: {NEW}"), format!("version: {wanted}"));
            assert!(config.contains(&before), "{config}");
            let (node, address) = Node::serve(&config.replace(&before, &after));
            node.kept().events = Some(sender.clone());
            line.push_str(&format!(" --node {name}={address}"));
            Member {
                node,
                name,
                control_plane,
                wanted: wanted.to_owned(),
                clients: OLD.to_owned(),
            }
        });
        home.fine(&line);
        let nodes: Vec<_> = members.iter().map(|it| it.node.clone()).collect();
        for node in &nodes {
            node.kept().workloads = vec![proxy()];
        }
        members.iter().for_each(|it| it.tell(&members));
        let happened = thread::spawn(move || live(members.into(), &events));
        Self {
            home,
            nodes,
            happened,
        }
    }

    /// All that has happened.
    fn end(self) -> Vec<String> {
        for node in &self.nodes {
            node.kept().events = None;
        }
        self.happened.join().expect("nobody panicked")
    }
}

fn proxy() -> Workload {
    Workload {
        name: "DaemonSet kube-system/kube-proxy".to_owned(),
        image: format!("garboard.internal/kube-proxy:v{OLD}"),
        wanted: format!("garboard.internal/kube-proxy:v{NEW}"),
        ..Workload::default()
    }
}

/// Does as nodes do: an API server follows its config, and what asks API servers follows when all are new.
fn live(mut members: Vec<Member>, events: &Receiver<String>) -> Vec<String> {
    let mut happened = Vec::new();
    for event in events {
        if let Some((name, version)) = event.split_once(" applies ") {
            let member = members.iter_mut().find(|it| it.name == name);
            member.expect("one of them").wanted = version.to_owned();
        }
        let mut planes = members.iter().filter(|it| it.control_plane);
        if planes.all(|it| it.wanted == NEW) {
            for member in members.iter_mut().filter(|it| it.wanted == NEW) {
                member.clients = NEW.to_owned();
            }
        }
        members.iter().for_each(|it| it.tell(&members));
        happened.push(event);
    }
    happened
}

#[test]
fn nodes_come_one_by_one_and_the_workers_last() {
    let cluster = Cluster::with(&[]);
    let done = cluster.home.fine(&format!("upgrade-k8s --to {NEW}"));
    assert_eq!(done, format!("Kubernetes is {NEW}\n"));
    let again = cluster.home.fine(&format!("upgrade-k8s --to {NEW}"));
    assert_eq!(again, format!("all of it is {NEW} already\n"));
    let happened = cluster.end();
    let at = |event: &str| happened.iter().position(|it| it == event).expect(event);
    let once: Vec<_> = happened
        .iter()
        .filter(|it| !it.ends_with("updates"))
        .collect();
    assert_eq!(once.len(), 6, "{happened:?}");
    assert!(once[..3].iter().all(|it| it.ends_with("pulls 1.37.1")));
    let order = [
        "cp-1 applies 1.37.1",
        "cp-2 applies 1.37.1",
        "cp-1 updates",
        "worker-1 applies 1.37.1",
    ];
    assert!(order.map(at).is_sorted(), "{happened:?}");
}

#[test]
fn it_goes_on_where_it_was_cut_off() {
    let cluster = Cluster::with(&["cp-1"]);
    cluster.home.fine(&format!("upgrade-k8s --to {NEW}"));
    let happened = cluster.end();
    let applied: Vec<_> = happened
        .iter()
        .filter(|it| it.contains("applies"))
        .collect();
    assert_eq!(applied, ["cp-2 applies 1.37.1", "worker-1 applies 1.37.1"]);
}

#[test]
fn a_dry_run_shows_it_and_changes_nothing() {
    let cluster = Cluster::with(&[]);
    let line = format!("upgrade-k8s --to v{NEW} --dry-run");
    let would = cluster.home.run(&line);
    assert_eq!(would.status.code(), Some(3), "{}", text(&would.stderr));
    let told = text(&would.stdout);
    for line in [
        "2. cp-1: API server from 1.36.3 to 1.37.1",
        "5. DaemonSet kube-system/kube-proxy: from garboard.internal/kube-proxy:v1.36.3",
        "6. worker-1: kubelet from 1.36.3 to 1.37.1",
        "-version: 1.36.3",
        "+version: 1.37.1",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
    assert!(!told.contains("PRIVATE KEY"), "{told}");
    let json = cluster.home.run(&format!("{line} -o json"));
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(value["configs"].as_array().expect("configs").len(), 3);
    assert!(cluster.end().is_empty());
}

#[test]
fn what_the_rules_forbid_changes_nothing() {
    let cluster = Cluster::with(&[]);
    let refused = cluster
        .home
        .fails(&format!("-n worker-1 upgrade-k8s --to {NEW}"), 1);
    assert!(
        refused.contains("kubelet may not be newer than kube-apiserver")
            && refused.contains("name all of the control plane too: cp-1, cp-2"),
        "{refused}"
    );
    let unknown = cluster.home.fails("upgrade-k8s --to 1.38.0", 2);
    assert!(unknown.contains("1.36 and 1.37, not 1.38"), "{unknown}");
    assert!(cluster.end().is_empty());
}

#[test]
fn a_config_that_somebody_else_changes_is_left_to_him() {
    let cluster = Cluster::with(&[]);
    cluster.nodes[0].kept().restless = true;
    let refused = cluster.home.fails(&format!("upgrade-k8s --to {NEW}"), 1);
    assert!(
        refused.contains("cp-1: giving it its config; say the same again to go on")
            && refused.contains("changed in the meantime"),
        "{refused}"
    );
    let happened = cluster.end();
    assert!(
        happened.iter().all(|it| it.contains("pulls")),
        "{happened:?}"
    );
}
