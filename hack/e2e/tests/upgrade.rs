//! A cluster that begins as the former minor of Kubernetes and is given the present one, while a stream between two pods goes on.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::kubectl::{Kubectl, is_ready, text};
use e2e::{Lab, places};
use provision::Deadline;
use serde_json::Value;

/// The cluster and its nodes.
const CLUSTER: &str = "old";
const PLANE: &str = "old-cp-1";
const WORKER: &str = "old-worker-1";

/// The versions: what `image/go/kubernetes` has.
const FORMER: &str = "1.36.3";
const PRESENT: &str = "1.37.1";

/// Programs that start for the first time all at once, on a processor that may be an emulated one.
const READY: Duration = Duration::from_secs(300);

/// What a whole upgrade may take there: every program of two nodes starts once more.
const UPGRADE: Duration = Duration::from_secs(1200);

/// A server, and a client on the other node that must not notice anything.
const STREAM: &str = include_str!("../manifests/stream.yaml");
const PROBE: &str = concat!("garboard.internal/probe:", env!("CARGO_PKG_VERSION"));

#[test]
#[ignore = "long: builds the former minor of Kubernetes, and starts two nodes with both"]
fn a_cluster_is_upgraded_while_its_pods_go_on() -> Result<()> {
    let lab = Lab::new(2)?;
    let (image, bundle) = (places::cloud_folder()?, places::upgrade_bundle()?);
    lab.osctl(&format!(
        "cluster create --name {CLUSTER} --kubernetes --no-bootstrap --workers 1 --memory 2048 --image {} --bundle {}",
        image.display(),
        bundle.display()
    ))?
    .fine()?;
    let kubectl = begins_as_the_former_one(&lab)?;
    a_worker_that_is_too_new_waits(&lab, &kubectl)?;
    kubectl.apply(&STREAM.replace("PROBE", PROBE))?;
    kubectl.until("get pod streams", is_ready)?;
    let connected = |it: &str| it.contains("connected");
    kubectl.prints("logs streams", connected)?;

    what_would_be_done(&lab)?;
    // One that takes too long is killed, and the next one goes on from there.
    let deadline = Deadline::after(lab.patience(UPGRADE));
    let line = format!("upgrade-k8s --to {PRESENT}");
    lab.osctl_within(deadline, &line, |it| it.contains(PRESENT))?;
    for node in [PLANE, WORKER] {
        is_ready_as(&kubectl, node, PRESENT)?;
    }
    all_programs_are_new(&kubectl)?;
    nobody_noticed(&kubectl)?;
    again_and_back(&lab)
}

/// Has the control plane begin as the former minor.
fn begins_as_the_former_one(lab: &Lab) -> Result<Kubectl> {
    is_given(lab, PLANE, FORMER)?;
    lab.osctl(&format!("-n {PLANE} bootstrap"))?.fine()?;
    let kubectl = Kubectl::of(lab, CLUSTER, PLANE, READY)?;
    is_ready_as(&kubectl, PLANE, FORMER)?;
    Ok(kubectl)
}

/// Gives a node another version, by hand.
fn is_given(lab: &Lab, node: &str, version: &str) -> Result<()> {
    let patch = format!("{{kind: Kubernetes, version: {version}}}");
    let words = ["-n", node, "config", "patch", "-p", &patch];
    lab.osctl_with(words)?.fine().map(drop)
}

/// The worker joins with the present minor in its config: its kubelet does not begin, and it says which rule that is.
fn a_worker_that_is_too_new_waits(lab: &Lab, kubectl: &Kubectl) -> Result<()> {
    let line = format!("-n {WORKER} get releases -o json");
    let rule = "kubelet may not be newer than kube-apiserver: it would be 1.37";
    let deadline = Deadline::after(lab.patience(READY));
    lab.osctl_within(deadline, &line, |it| it.contains(rule))?;
    is_given(lab, WORKER, FORMER)?;
    is_ready_as(kubectl, WORKER, FORMER)
}

/// Waits until a node is Ready with a kubelet of this version.
fn is_ready_as(kubectl: &Kubectl, node: &str, version: &str) -> Result<()> {
    let version = format!("v{version}");
    let is = |it: &Value| is_ready(it) && text(it, "/status/nodeInfo/kubeletVersion") == version;
    kubectl.until(&format!("get node {node}"), is).map(drop)
}

/// A dry run shows it and changes nothing.
fn what_would_be_done(lab: &Lab) -> Result<()> {
    let would = lab.osctl(&format!("upgrade-k8s --to {PRESENT} --dry-run"))?;
    ensure!(would.code == Some(3), "{would:?}");
    for line in [
        &*format!("-version: {FORMER}"),
        &*format!("+version: {PRESENT}"),
        &*format!("{WORKER}: kubelet from {FORMER} to {PRESENT}"),
        "DaemonSet kube-system/kube-proxy",
    ] {
        ensure!(would.out.contains(line), "{line} is not in {would:?}");
    }
    let config = lab.osctl(&format!("-n {PLANE} config show"))?.fine()?;
    ensure!(config.contains(&format!("version: {FORMER}")), "{config}");
    Ok(())
}

/// Of each program of Kubernetes the cluster runs the present one.
fn all_programs_are_new(kubectl: &Kubectl) -> Result<()> {
    for name in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ] {
        let pod = kubectl.json(&format!("-n kube-system get pod {name}-{PLANE}"))?;
        let image = text(&pod, "/spec/containers/0/image");
        ensure!(
            image.ends_with(&format!(":v{PRESENT}")) && is_ready(&pod),
            "{image}"
        );
    }
    let proxy = kubectl.json("-n kube-system get daemonset kube-proxy")?;
    let image = text(&proxy, "/spec/template/spec/containers/0/image");
    ensure!(image.ends_with(&format!(":v{PRESENT}")), "{image}");
    let version = kubectl.json("version")?;
    let server = text(&version, "/serverVersion/gitVersion");
    ensure!(server == format!("v{PRESENT}"), "{server}");
    Ok(())
}

/// The stream is the one that it was, and still goes on.
fn nobody_noticed(kubectl: &Kubectl) -> Result<()> {
    let log = kubectl.run("logs streams")?;
    let events: Vec<Value> = log
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context(log.clone())?;
    let broken = events.iter().any(|it| text(it, "/event") == "broken");
    ensure!(!broken, "the stream broke: {log}");
    let connected = events.iter().filter(|it| text(it, "/event") == "connected");
    ensure!(connected.count() == 1, "{log}");
    let pods = kubectl.json("get pods")?;
    let pods = pods
        .pointer("/items")
        .and_then(Value::as_array)
        .context("pods")?;
    for pod in pods {
        let restarts = pod.pointer("/status/containerStatuses/0/restartCount");
        ensure!(restarts.and_then(Value::as_u64) == Some(0), "{pod}");
    }
    Ok(())
}

/// Said again it does nothing, and there is no way back but from a snapshot.
fn again_and_back(lab: &Lab) -> Result<()> {
    let again = lab.osctl(&format!("upgrade-k8s --to {PRESENT}"))?.fine()?;
    ensure!(again.contains("already"), "{again}");
    let rule = "kube-apiserver may not go down a minor";
    let back = lab
        .osctl(&format!("upgrade-k8s --to {FORMER}"))?
        .refused()?;
    ensure!(back.contains(rule), "{back}");
    let patch = format!("{{kind: Kubernetes, version: {FORMER}}}");
    let words = ["-n", PLANE, "config", "patch", "-p", &patch];
    let by_hand = lab.osctl_with(words)?.refused()?;
    ensure!(by_hand.contains(rule), "{by_hand}");
    Ok(())
}
