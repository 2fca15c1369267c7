//! A Kubernetes cluster of one node: from `osctl cluster create` to a node that is Ready, and the same again after a reboot.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::kubectl::{Kubectl, PROBE, is_ready, is_rolled_out, text};
use e2e::lab::CREATE;
use e2e::web::Web;
use e2e::{Lab, places};
use provision::Deadline;
use serde_json::Value;

/// The node of a cluster with this name.
const CLUSTER: &str = "k8s";
const NODE: &str = "k8s-cp-1";

/// Programs that start for the first time all at once, on a processor that may be an emulated one.
const READY: Duration = Duration::from_secs(300);

/// Two pods behind a service and one that asks them.
const ECHO: &str = include_str!("../manifests/echo.yaml");
/// One with a port of its node, in a namespace that allows it.
const PORT: &str = include_str!("../manifests/port.yaml");

/// The pods of a control plane.
const PODS: [&str; 3] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

#[test]
fn one_node_becomes_ready_and_is_again_after_a_reboot() -> Result<()> {
    // It has two processors, as two other machines.
    let lab = Lab::new(2)?;
    let (image, bundle) = (places::cloud_folder()?, places::kubernetes_bundle()?);
    let line = format!(
        "cluster create --name {CLUSTER} --kubernetes --no-bootstrap --workers 0 --cpus 2 --memory 2048 --image {} --bundle {}",
        image.display(),
        bundle.display()
    );
    lab.osctl_for(CREATE, &line)?.fine()?;

    waits_until_told(&lab)?;
    let ordered = lab.osctl("bootstrap --no-wait")?.fine()?;
    ensure!(ordered.contains("the cluster begins"), "{ordered}");
    known(&lab)?;
    let before = lab.osctl("bootstrap")?.fine()?;
    ensure!(before.contains("had begun before"), "{before}");

    let kubectl = Kubectl::of(&lab, CLUSTER, NODE, READY)?;
    let boot = node_is_ready(&kubectl, None)?;
    pods_run(&kubectl)?;
    what_kubectl_says_is_true(&kubectl)?;
    what_the_node_says_is_true(&lab)?;
    a_pod_answers_through_a_service(&kubectl)?;
    pods_and_others_reach_each_other(&lab, &kubectl)?;

    kubectl.run("delete clusterrole garboard:coredns")?;
    lab.osctl("reboot --wait")?.fine()?;
    known(&lab)?;
    node_is_ready(&kubectl, Some(&boot))?;
    what_somebody_deleted_stays_away(&lab, &kubectl)
}

/// Waits until the node says that its cluster knows it.
fn known(lab: &Lab) -> Result<()> {
    let deadline = Deadline::after(lab.patience(READY));
    let line = "get nodestatuses -o json";
    lab.osctl_within(deadline, line, |it| it.contains(NODE))
        .map(drop)
}

/// Nothing begins by itself: an empty disk may be one that was lost.
fn waits_until_told(lab: &Lab) -> Result<()> {
    let waiting = lab.osctl_within(lab.boot_deadline(), "get services etcd -o json", |it| {
        it.contains("condition etcd")
    })?;
    ensure!(waiting.contains("waiting"), "{waiting}");
    let why = lab.osctl("get conditions etcd -o json")?.fine()?;
    ensure!(why.contains("osctl bootstrap"), "{why}");
    Ok(())
}

/// Waits until the node is ready, on another boot than this; gives its boot.
fn node_is_ready(kubectl: &Kubectl, before: Option<&str>) -> Result<String> {
    let boot = |node: &Value| text(node, "/status/nodeInfo/bootID").to_owned();
    let node = kubectl.until(&format!("get node {NODE}"), |node| {
        is_ready(node) && Some(boot(node).as_str()) != before
    })?;
    Ok(boot(&node))
}

fn pods_run(kubectl: &Kubectl) -> Result<()> {
    for pod in PODS {
        kubectl.until(&format!("get pod -n kube-system {pod}-{NODE}"), is_ready)?;
    }
    for set in ["daemonset/kube-proxy", "deployment/coredns"] {
        kubectl.until(&format!("get -n kube-system {set}"), is_rolled_out)?;
    }
    Ok(())
}

/// By the name of the service, from within a pod; the node answers for its pods' output and for what is run in them.
fn a_pod_answers_through_a_service(kubectl: &Kubectl) -> Result<()> {
    kubectl.takes_pods("default")?;
    kubectl.apply(&ECHO.replace("PROBE", PROBE))?;
    kubectl.until("get deployment/echo", is_rolled_out)?;
    kubectl.until("get pod asker", is_ready)?;
    let ask = "exec asker -- /usr/bin/probe";
    let name = "echo.default.svc.cluster.local";
    let answer = kubectl.prints(&format!("{ask} get http://{name}/"), |it| {
        it.contains("\"host\":\"echo-")
    })?;
    ensure!(answer.contains("10.244."), "{answer}");
    let service = kubectl.json("get service echo")?;
    let address = text(&service, "/spec/clusterIP");
    kubectl.prints(&format!("{ask} lookup {name}."), |it| it.trim() == address)?;
    kubectl.run("logs asker").map(drop)
}

/// Out of the cluster in the name of the node, which alone is known there; into it by a port of the node.
fn pods_and_others_reach_each_other(lab: &Lab, kubectl: &Kubectl) -> Result<()> {
    let masquerade = "get masquerade -o json";
    lab.osctl_until(masquerade, |it| it.contains("\"applied\": true"))?;
    let web = Web::new()?;
    web.publish("/outside", "the world outside");
    let ask = |from: &str, url: &str| format!("exec {from} -- /usr/bin/probe get {url}");
    let line = ask("asker", &web.url("/outside"));
    kubectl.prints(&line, |it| it.contains("the world outside"))?;
    // A namespace that says nothing has none that go against `baseline`.
    let port = PORT.replace("PROBE", PROBE);
    let elsewhere = port.replace("namespace: ports", "namespace: default");
    let refused = kubectl.apply(&elsewhere).expect_err("a port of the node");
    ensure!(
        format!("{refused:#}").contains("PodSecurity"),
        "{refused:#}"
    );
    kubectl.takes_pods("ports")?;
    kubectl.apply(&port)?;
    let porter = kubectl.until("get pod -n ports porter", is_ready)?;
    let node = text(&porter, "/status/hostIP");
    let line = ask("deployment/echo", &format!("http://{node}:8090/"));
    kubectl.prints(&line, |it| it.contains("\"host\":\"porter\""))?;
    let bridged = "get sysctls net.bridge.bridge-nf-call-iptables -o json";
    lab.osctl_until(bridged, |it| it.contains("\"state\": \"applied\""))?;
    let routes = lab.osctl("get conditions pod-routes -o json")?.fine()?;
    ensure!(routes.contains("\"met\": true"), "{routes}");
    Ok(())
}

/// What somebody changed or deleted does not come back, not even after a reboot.
fn what_somebody_deleted_stays_away(lab: &Lab, kubectl: &Kubectl) -> Result<()> {
    let role = "get clusterrole garboard:coredns --ignore-not-found";
    kubectl.prints(role, str::is_empty)?;
    let deadline = Deadline::after(lab.patience(READY));
    lab.osctl_within(deadline, "get manifeststatuses coredns -o json", |it| {
        it.contains("\"reason\": \"\"")
    })?;
    kubectl.prints(role, str::is_empty).map(drop)
}

/// Versions, addresses and the range of pods are what they should be.
fn what_kubectl_says_is_true(kubectl: &Kubectl) -> Result<()> {
    let versions = kubectl.json("version")?;
    let version = text(&versions, "/serverVersion/gitVersion");
    let node = kubectl.json(&format!("get node {NODE}"))?;
    let info = |name: &str| text(&node, &format!("/status/nodeInfo/{name}"));
    ensure!(version.starts_with("v1."), "{versions}");
    ensure!(info("kubeletVersion") == version, "{version}: {node}");
    ensure!(
        info("containerRuntimeVersion").starts_with("containerd://"),
        "{node}"
    );
    ensure!(info("osImage").contains("Garboard"), "{node}");
    ensure!(
        text(&node, "/spec/podCIDR").starts_with("10.244."),
        "{node}"
    );
    // The only node of a local cluster is for pods too.
    ensure!(node.pointer("/spec/taints").is_none(), "{node}");
    Ok(())
}

/// So is what the node says of it.
fn what_the_node_says_is_true(lab: &Lab) -> Result<()> {
    let node = lab.osctl_until("get nodestatuses -o json", |it| {
        it.contains("\"ready\": true")
    })?;
    ensure!(node.contains("10.244."), "{node}");
    let certificates = lab.osctl("get certificates -o yaml")?.fine()?;
    ensure!(
        certificates.contains("system:kube-scheduler"),
        "{certificates}"
    );
    let services = lab.osctl("services")?.fine()?;
    for name in ["containerd", "etcd", "kubelet"] {
        ensure!(services.contains(name), "{services}");
    }
    // A key is read by the one it is for.
    let keys = lab.osctl("ls /run/garboard/kubernetes/etcd")?.fine()?;
    for key in keys.lines().filter(|it| it.contains(".pem")) {
        ensure!(key.contains("-r--------") && key.contains("60:60"), "{key}");
    }
    ensure!(keys.contains("peer.pem"), "{keys}");
    Ok(())
}
