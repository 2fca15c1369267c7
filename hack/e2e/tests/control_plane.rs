//! A Kubernetes cluster of one node: from `osctl cluster create` to a node that is Ready, and the same again after a reboot.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{Lab, places};
use provision::Deadline;
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
    // It has two processors, as two other machines.
    let lab = Lab::new(2)?;
    let (image, bundle) = (places::cloud_folder()?, places::kubernetes_bundle()?);
    lab.osctl(&format!(
        "cluster create --name {CLUSTER} --kubernetes --image {} --bundle {}",
        image.display(),
        bundle.display()
    ))?
    .fine()?;

    waits_until_told(&lab)?;
    let ordered = lab.osctl("bootstrap --no-wait")?.fine()?;
    ensure!(ordered.contains("the cluster begins"), "{ordered}");
    known(&lab)?;
    let before = lab.osctl("bootstrap")?.fine()?;
    ensure!(before.contains("had begun before"), "{before}");

    let kubectl = Kubectl::of(&lab)?;
    let boot = kubectl.node_is_ready(None)?;
    kubectl.pods_run()?;
    what_kubectl_says_is_true(&kubectl)?;
    what_the_node_says_is_true(&lab)?;

    lab.osctl("reboot --wait")?.fine()?;
    known(&lab)?;
    kubectl.node_is_ready(Some(&boot)).map(drop)
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

/// `kubectl`, with what `osctl kubeconfig` wrote.
struct Kubectl {
    program: PathBuf,
    home: PathBuf,
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
            home: lab.home().to_owned(),
            config,
            patience: lab.patience(READY),
        })
    }

    /// What it prints, when it succeeds. It has nothing of the home that tests run in.
    fn run(&self, line: &str) -> Result<String> {
        let output = Command::new(&self.program)
            .env("HOME", &self.home)
            .env_remove("KUBECONFIG")
            .env_remove("KUBERC")
            .arg("--kubeconfig")
            .arg::<&Path>(&self.config)
            .arg("--request-timeout=30s")
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

    /// Asks until the answer is the one that is waited for; an API server that starts again gives none.
    fn until(&self, line: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = None;
        let found = Deadline::after(self.patience).until(|| {
            let answer = self.json(line);
            let found = answer.as_ref().ok().filter(|it| wanted(it)).cloned();
            last = Some(answer);
            found
        });
        found.with_context(|| format!("kubectl {line} last said {last:?}"))
    }

    /// Waits until the node is ready, on another boot than this; gives its boot.
    fn node_is_ready(&self, before: Option<&str>) -> Result<String> {
        let boot = |node: &Value| text(node, "/status/nodeInfo/bootID").to_owned();
        let node = self.until(&format!("get node {NODE}"), |node| {
            is_ready(node) && Some(boot(node).as_str()) != before
        })?;
        Ok(boot(&node))
    }

    fn pods_run(&self) -> Result<()> {
        for pod in PODS {
            self.until(&format!("get pod -n kube-system {pod}-{NODE}"), is_ready)?;
        }
        Ok(())
    }
}

/// Whether a node or a pod says that it is ready.
fn is_ready(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions");
    let conditions = conditions.and_then(Value::as_array).into_iter().flatten();
    let mut ready = conditions.filter(|it| text(it, "/type") == "Ready");
    ready.next().is_some_and(|it| text(it, "/status") == "True")
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
    let keys = lab.osctl("ls /run/garboard/kubernetes/etcd")?.fine()?;
    for key in keys.lines().filter(|it| it.contains(".pem")) {
        ensure!(key.contains("-r--------") && key.contains("60:60"), "{key}");
    }
    ensure!(keys.contains("peer.pem"), "{keys}");
    Ok(())
}
