//! What there is to do, and whether Kubernetes' rules of version skew let it be done. Pure.

use std::collections::{BTreeMap, BTreeSet};

use config::skew::{self, Client, Release};
use config::{KubernetesVersion, KubernetesVersionError};
use serde::Serialize;

use super::facts::Node;

/// A node with something left to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Todo {
    /// The node.
    pub(super) node: String,
    /// Whether it is of the control plane.
    pub(super) control_plane: bool,
    /// The version in its config.
    pub(super) from: String,
    /// Whether its config is to have another version; otherwise it only has to come to what that has already.
    pub(super) config: bool,
}

/// All of it, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The version.
    pub(super) to: KubernetesVersion,
    /// All nodes of the control plane that were named: of each of them its etcd has to be well.
    pub(super) planes: Vec<String>,
    /// Those with something left to do, the control plane first.
    pub(super) todo: Vec<Todo>,
    /// Whether all API servers are of the version in the end, so that what asks them can be.
    pub(super) whole: bool,
}

impl Plan {
    /// Those of one role.
    pub(super) fn of(&self, control_plane: bool) -> impl Iterator<Item = &Todo> {
        let all = self.todo.iter();
        all.filter(move |it| it.control_plane == control_plane)
    }
}

/// A rule that would be broken, or what is not known: with the node, and what to do.
pub(super) type Problems = Vec<String>;

/// What there is to do on these nodes of a cluster.
///
/// # Errors
/// Everything that speaks against it.
pub(super) fn plan(to: KubernetesVersion, nodes: &[Node]) -> Result<Plan, Problems> {
    let nodes: Vec<&Node> = nodes
        .iter()
        .filter(|it| it.facts.cluster.is_some())
        .collect();
    let wanted = Release::from(to);
    let others = others(&nodes);
    let mut problems: Problems = nodes.iter().filter_map(|it| refused(it, wanted)).collect();
    for (other, release) in &others {
        if let Err(skew) = skew::beside(wanted, &[*release]) {
            problems.push(format!("{other}: {skew}; upgrade that node first"));
        }
    }
    problems.extend(left_behind(&nodes, wanted));
    let releases: Vec<_> = others.values().copied().collect();
    let whole = skew::asks(Client::Kubelet, wanted, &releases);
    let workers = nodes.iter().filter(|it| !it.facts.is_plane());
    if let Err(skew) = &whole {
        let names: Vec<_> = others.keys().map(String::as_str).collect();
        let names = names.join(", ");
        problems.extend(workers.map(|it| {
            let node = &it.name;
            format!("{node}: {skew}; name all of the control plane too: {names}")
        }));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let whole = whole.is_ok();
    let mut todo: Vec<_> = nodes
        .iter()
        .filter_map(|it| left(it, wanted, whole))
        .collect();
    todo.sort_by(|one, other| {
        let key = |it: &Todo| (!it.control_plane, it.node.clone());
        key(one).cmp(&key(other))
    });
    let planes = nodes.iter().filter(|it| it.facts.is_plane());
    Ok(Plan {
        to,
        planes: planes.map(|it| it.name.clone()).collect(),
        todo,
        whole,
    })
}

/// API servers of nodes that were not named, as those that were know them.
fn others(nodes: &[&Node]) -> BTreeMap<String, Release> {
    let named: BTreeSet<&str> = nodes.iter().map(|it| it.facts.own.as_str()).collect();
    let known = nodes.iter().flat_map(|it| it.facts.servers.values());
    let others = known.filter(|it| !it.node.is_empty() && !named.contains(it.node.as_str()));
    let releases = others.filter_map(|it| Some((it.node.clone(), it.version.parse().ok()?)));
    releases.collect()
}

/// Why an API server may not become this.
fn refused(node: &Node, to: Release) -> Option<String> {
    if !node.facts.is_plane() {
        return None;
    }
    // One that has never answered has written nothing.
    let from: Release = node.facts.release.served.parse().ok()?;
    let skew = skew::follows(from, to).err()?;
    Some(format!("{}: {skew}", node.name))
}

/// Kubelets that would be too old for the new API servers, of any node of the cluster.
fn left_behind(nodes: &[&Node], to: Release) -> BTreeSet<String> {
    let planes = nodes.iter().any(|it| it.facts.is_plane());
    let known = nodes.iter().flat_map(|it| &it.facts.nodes);
    let too_old = known.filter(|_| planes).filter_map(|(name, status)| {
        let kubelet: Release = status.kubelet_version.parse().ok()?;
        // Those that are newer are none of the API server's concern.
        let kubelet = kubelet.min(to);
        let skew = skew::asks(Client::Kubelet, kubelet, &[to]).err()?;
        Some(format!("{name}: {skew}; upgrade that node first"))
    });
    too_old.collect()
}

/// What is left to do on a node.
fn left(node: &Node, to: Release, whole: bool) -> Option<Todo> {
    let facts = &node.facts;
    let config = facts.version() != to.to_string();
    let serving = facts.is_plane() && facts.serving(to).is_some();
    let following = whole && facts.following(to).is_some();
    (config || serving || following).then(|| Todo {
        node: node.name.clone(),
        control_plane: facts.is_plane(),
        from: facts.version().to_owned(),
        config,
    })
}

/// Reads the version on the command line, with or without the letter of its tag.
pub(super) fn version(text: &str) -> Result<KubernetesVersion, KubernetesVersionError> {
    text.strip_prefix('v').unwrap_or(text).parse()
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::node;
    use super::*;

    fn to() -> KubernetesVersion {
        version("v1.37.1").expect("a version")
    }

    fn names<'a>(todo: impl Iterator<Item = &'a Todo>) -> Vec<&'a str> {
        todo.map(|it| it.node.as_str()).collect()
    }

    #[test]
    fn the_control_plane_comes_first_and_what_is_done_is_left_out() {
        let servers = [("cp-1", "1.37.1"), ("cp-2", "1.36.3")];
        let mut first = node("cp-1", true, "1.37.1", &servers);
        // Its API server is new, and its kubelet waits for the other one.
        first.facts.release.clients = "1.36.3".to_owned();
        let nodes = [
            node("a-worker", false, "1.36.3", &servers),
            node("cp-2", true, "1.36.3", &servers),
            first,
            node("b-worker", false, "1.37.1", &servers),
        ];
        let plan = plan(to(), &nodes).expect("it fits");
        assert_eq!(names(plan.todo.iter()), ["cp-1", "cp-2", "a-worker"]);
        let config: Vec<_> = plan.todo.iter().map(|it| it.config).collect();
        assert_eq!(config, [false, true, true]);
        assert_eq!(names(plan.of(false)), ["a-worker"]);
        assert_eq!(plan.planes, ["cp-2", "cp-1"]);
        assert!(plan.whole);
    }

    #[test]
    fn nothing_is_left_of_a_cluster_that_is_there() {
        let servers = [("cp-1", "1.37.1")];
        let nodes = [
            node("cp-1", true, "1.37.1", &servers),
            node("worker-1", false, "1.37.1", &servers),
        ];
        assert!(plan(to(), &nodes).expect("it fits").todo.is_empty());
    }

    #[test]
    fn a_worker_alone_waits_for_the_control_plane() {
        let servers = [("cp-1", "1.36.3")];
        let worker = node("worker-1", false, "1.36.3", &servers);
        let problems = plan(to(), std::slice::from_ref(&worker)).expect_err("it is too new");
        assert_eq!(
            problems,
            [
                "worker-1: kubelet may not be newer than kube-apiserver: it would be 1.37.1, and an API server is 1.36.3; \
              name all of the control plane too: cp-1"
            ]
        );
        let plane = node("cp-1", true, "1.36.3", &servers);
        assert!(plan(to(), &[worker, plane]).is_ok());
    }

    #[test]
    fn a_part_of_the_control_plane_goes_without_its_kubelets() {
        let servers = [("cp-1", "1.37.1"), ("cp-2", "1.36.3")];
        let mut first = node("cp-1", true, "1.37.1", &servers);
        first.facts.release.clients = "1.36.3".to_owned();
        let plan = plan(to(), &[first]).expect("it fits");
        assert!(!plan.whole && plan.todo.is_empty());
    }

    #[test]
    fn what_the_rules_forbid_is_named_with_its_node() {
        let down = version("1.36.3").expect("a version");
        let servers = [("cp-1", "1.37.1")];
        let problems = plan(down, &[node("cp-1", true, "1.37.1", &servers)]);
        let problems = problems.expect_err("down");
        assert!(problems[0].starts_with("cp-1: kube-apiserver may not go down a minor"));
        let mut old = node("cp-1", true, "1.36.3", &[("cp-1", "1.36.3")]);
        let mut worker = old.facts.nodes["cp-1"].clone();
        worker.kubelet_version = "v1.33.0".to_owned();
        old.facts.nodes.insert("worker-9".to_owned(), worker);
        let problems = plan(to(), &[old]).expect_err("a kubelet is too old");
        assert!(problems[0].starts_with("worker-9: kubelet may be no more than 3 minors older"));
        // One whose API server never came up may be what it was.
        let mut failed = node("cp-1", true, "1.37.1", &[]);
        failed.facts.release.served = "1.36.3".to_owned();
        assert!(plan(down, &[failed]).is_ok());
    }
}
