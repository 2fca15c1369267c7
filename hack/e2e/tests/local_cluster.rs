//! What `osctl cluster create` ends with: a control plane and a worker that are Ready, a kubectl that finds them, two replicas on the two
//! nodes that answer through a service; and what `destroy` leaves of it, which is nothing.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::kubectl::{Kubectl, is_ready, is_rolled_out, text};
use e2e::{Lab, places};
use serde_json::Value;

/// The cluster and its nodes.
const CLUSTER: &str = "local";
const NODES: [&str; 2] = ["local-cp-1", "local-worker-1"];

/// What pods take that start for the first time all at once.
const READY: Duration = Duration::from_secs(300);

/// Two pods behind a service and one that asks them.
const ECHO: &str = include_str!("../manifests/echo.yaml");
const PROBE: &str = concat!("garboard.internal/probe:", env!("CARGO_PKG_VERSION"));

#[test]
fn cluster_create_leads_to_two_nodes_whose_pods_answer_through_a_service() -> Result<()> {
    let lab = Lab::new(2)?;
    // Somebody has another cluster.
    let file = lab.home().join(".kube/config");
    fs::create_dir_all(lab.home().join(".kube"))?;
    let other = "clusters: [{name: work, cluster: {server: 'https://w'}}]\n\
                 contexts: [{name: work, context: {cluster: work}}]\ncurrent-context: work\nusers: []\n";
    fs::write(&file, other)?;
    let (image, bundle) = (places::cloud_folder()?, places::kubernetes_bundle()?);
    lab.osctl(&format!(
        "cluster create --name {CLUSTER} --kubernetes --workers 1 --memory 2048 --image {} --bundle {}",
        image.display(),
        bundle.display()
    ))?
    .fine()?;

    let kubectl = Kubectl::with(&lab, file.clone(), READY)?;
    for node in NODES {
        let said = kubectl.json(&format!("get node {node}"))?;
        ensure!(is_ready(&said), "{said}");
    }
    kubectl.takes_pods("default")?;
    // What the manifest only wishes, so that it also works on one node.
    let echo = ECHO.replace("ScheduleAnyway", "DoNotSchedule");
    kubectl.apply(&echo.replace("PROBE", PROBE))?;
    kubectl.until("get deployment/echo", is_rolled_out)?;
    on_both_nodes(&kubectl.json("get pods --selector app=echo")?)?;
    kubectl.until("get pod asker", is_ready)?;
    let ask = "exec asker -- /usr/bin/probe get http://echo.default.svc.cluster.local/";
    kubectl.prints(ask, |it| it.contains("\"host\":\"echo-"))?;

    lab.osctl(&format!("cluster destroy --name {CLUSTER}"))?
        .fine()?;
    let left = fs::read_to_string(&file)?;
    ensure!(
        left.contains("current-context: work") && !left.contains(CLUSTER),
        "{left}"
    );
    ensure!(lab.clusters().list()?.is_empty());
    Ok(())
}

/// Each replica is on a node of its own.
fn on_both_nodes(pods: &Value) -> Result<()> {
    let pods = pods.pointer("/items").and_then(Value::as_array);
    let pods = pods.context("a list of pods")?;
    let mut nodes: Vec<_> = pods.iter().map(|it| text(it, "/spec/nodeName")).collect();
    nodes.sort_unstable();
    ensure!(nodes == NODES, "they are on {nodes:?}");
    Ok(())
}
