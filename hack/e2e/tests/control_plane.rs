//! A Kubernetes cluster of one node: from `osctl cluster create` to a node that is Ready, and the same again after a reboot.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{Lab, places};
use serde_json::Value;

/// Where the API server listens.
const PORT: u16 = 6443;

/// The node of a cluster with this name.
const CLUSTER: &str = "k8s";
const NODE: &str = "k8s-cp-1";

/// Programs that start for the first time all at once, on a processor that may be an emulated one.
const READY: Duration = Duration::from_secs(300);

/// The pods of a control plane.
const PODS: [&str; 3] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

#[test]
fn one_node_becomes_ready_and_is_again_after_a_reboot() -> Result<()> {
    let lab = Lab::new(1)?;
    let (image, bundle) = (places::cloud_folder()?, places::kubernetes_bundle()?);
    lab.osctl(&format!(
        "cluster create --name {CLUSTER} --kubernetes --memory 2048 --image {} --bundle {}",
        image.display(),
        bundle.display()
    ))?
    .fine()?;

    waits_until_told(&lab)?;
    let begun = lab.osctl("bootstrap")?.fine()?;
    ensure!(begun.contains("the cluster has begun"), "{begun}");
    let before = lab.osctl("bootstrap")?.fine()?;
    ensure!(before.contains("had begun before"), "{before}");

    let kubectl = Kubectl::of(&lab)?;
    kubectl.node_is_ready()?;
    kubectl.pods_run()?;
    what_kubectl_says_is_true(&kubectl)?;
    what_the_node_says_is_true(&lab)?;

    lab.osctl("reboot --wait")?.fine()?;
    let known = lab.osctl_within(lab.boot_deadline(), "get nodestatuses -o json", |it| {
        it.contains("\"ready\": true")
    })?;
    ensure!(known.contains(NODE), "{known}");
    kubectl.node_is_ready()
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

/// `kubectl`, with what `osctl kubeconfig` wrote.
struct Kubectl {
    program: PathBuf,
    config: PathBuf,
    patience: Duration,
}

impl Kubectl {
    fn of(lab: &Lab) -> Result<Self> {
        let cluster = lab.clusters().open(&CLUSTER.parse()?)?;
        let forwarded = cluster.vm(&NODE.parse()?)?.endpoint(PORT);
        let forwarded = forwarded.context("the API server's port is not forwarded")?;
        let config = lab.home().join("kubeconfig");
        let written = lab.osctl(&format!(
            "kubeconfig {} --server https://{forwarded}",
            config.display()
        ))?;
        let written = written.fine()?;
        ensure!(written.contains(CLUSTER), "{written}");
        Ok(Self {
            program: places::kubectl()?,
            config,
            patience: lab.patience(READY),
        })
    }

    /// What it prints, when it succeeds.
    fn run(&self, line: &str) -> Result<String> {
        let output = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg::<&Path>(&self.config)
            .args(line.split(' '))
            .output()
            .context("starting kubectl")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {line}: {error}{text}");
        Ok(text)
    }

    fn json(&self, line: &str) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.run(&format!("{line} -o json"))?,
        )?)
    }

    /// Waits for a condition.
    fn wait(&self, what: &str) -> Result<()> {
        let seconds = self.patience.as_secs();
        self.run(&format!("wait {what} --timeout={seconds}s"))
            .map(drop)
    }

    fn node_is_ready(&self) -> Result<()> {
        self.wait(&format!("--for=condition=Ready node/{NODE}"))
    }

    fn pods_run(&self) -> Result<()> {
        for pod in PODS {
            let pod = format!("pod/{pod}-{NODE}");
            self.wait(&format!("--for=create -n kube-system {pod}"))?;
            self.wait(&format!("--for=condition=Ready -n kube-system {pod}"))?;
        }
        Ok(())
    }
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
    let taint = text(&node, "/spec/taints/0/key");
    ensure!(taint == "node-role.kubernetes.io/control-plane", "{node}");
    Ok(())
}

/// A text in an object; empty where there is none.
fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
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
    let key = lab.osctl("ls /run/garboard/kubernetes/etcd")?.fine()?;
    ensure!(key.contains("-r--------"), "{key}");
    Ok(())
}
