//! The end of the cluster, and its return.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use e2e::kubectl::{Kubectl, is_ready, text};
use e2e::{Lab, places};
use provision::Deadline;

use crate::machines::{CLUSTER, Machines, PLANE, READY, WORKER};
use crate::workload;

/// What is left of the cluster when it is gone.
pub(crate) struct Kept {
    snapshot: PathBuf,
    secrets: PathBuf,
    boot: String,
}

/// Objects of both kinds: one that etcd has as it is, one that it has encrypted.
const OBJECTS: [&str; 2] = [
    "configmap kept --from-literal=word=once",
    "secret generic hidden --from-literal=word=deep",
];

/// The file of kubectl with another cluster in it, whose context is the current one.
pub(crate) fn other_cluster(lab: &Lab) -> Result<PathBuf> {
    let folder = lab.home().join(".kube");
    fs::create_dir_all(&folder)?;
    let other = "clusters: [{name: work, cluster: {server: 'https://w'}}]\n\
                 contexts: [{name: work, context: {cluster: work}}]\ncurrent-context: work\nusers: []\n";
    let file = folder.join("config");
    fs::write(&file, other)?;
    Ok(file)
}

/// Makes objects and has etcd copied; one that is made afterwards is not in it.
pub(crate) fn snapshot(machines: &Machines<'_>) -> Result<Kept> {
    let Machines { lab, kubectl, .. } = machines;
    for object in OBJECTS {
        kubectl.run(&format!("create {object}"))?;
    }
    let snapshot = lab.home().join("etcd.db");
    let file = snapshot.display();
    lab.osctl(&format!("etcd snapshot {file}"))?.fine()?;
    kubectl.run("create configmap lost")?;
    // Where there is data, none begins from it.
    let recover = format!("bootstrap -n {PLANE} --recover-from {file}");
    let refused = lab.osctl(&recover)?.refused()?;
    ensure!(refused.contains("has etcd's data"), "{refused}");
    let secrets = lab.home().join("secrets-of-shared.yaml");
    let cluster = lab.clusters().open(&CLUSTER.parse()?)?;
    fs::copy(cluster.folder().join("secrets.yaml"), &secrets).context("keeping the secrets")?;
    let node = kubectl.json(&format!("get node {PLANE}"))?;
    let boot = text(&node, "/status/nodeInfo/bootID").to_owned();
    Ok(Kept {
        snapshot,
        secrets,
        boot,
    })
}

/// Nothing is left of it, and kubectl speaks to the other one again.
pub(crate) fn destroy(machines: Machines<'_>, other: &std::path::Path) -> Result<()> {
    let lab = machines.lab;
    drop(machines);
    lab.osctl(&format!("cluster destroy --name {CLUSTER}"))?
        .fine()?;
    let left = fs::read_to_string(other)?;
    ensure!(
        left.contains("current-context: work") && !left.contains(CLUSTER),
        "{left}"
    );
    ensure!(lab.clusters().list()?.is_empty());
    Ok(())
}

/// A new machine with the secrets of before has the objects of the snapshot, and the workload comes to run on it.
pub(crate) fn comes_back(lab: &Lab, kept: &Kept) -> Result<()> {
    lab.osctl(&format!(
        "cluster create --name {CLUSTER} --kubernetes --no-bootstrap --workers 0 --cpus 2 --memory 2048 --secrets {} --image {} --bundle {}",
        kept.secrets.display(),
        places::cloud_folder()?.display(),
        places::kubernetes_bundle()?.display()
    ))?
    .fine()?;
    let recover = format!(
        "bootstrap --no-wait --recover-from {}",
        kept.snapshot.display()
    );
    lab.osctl(&recover)?.fine()?;
    let kubectl = Kubectl::of(lab, CLUSTER, PLANE, READY)?;
    kubectl.until(&format!("get node {PLANE}"), |it| {
        is_ready(it) && text(it, "/status/nodeInfo/bootID") != kept.boot
    })?;
    let word = |object: &str| kubectl.json(&format!("get {object}"));
    let (open, hidden) = (word("configmap kept")?, word("secret hidden")?);
    // "deep" in base64.
    ensure!(
        text(&open, "/data/word") == "once" && text(&hidden, "/data/word") == "ZGVlcA==",
        "{open} {hidden}"
    );
    let lost = kubectl.run("get configmap lost --ignore-not-found")?;
    ensure!(lost.is_empty(), "{lost}");
    // Its pods come to the node that is there.
    kubectl.run(&format!("delete node {WORKER}"))?;
    let mut cluster = lab.clusters().open(&CLUSTER.parse()?)?;
    let door = cluster.forward(&PLANE.parse()?, workload::ECHO)?.host;
    workload::comes_to_answer(door, Deadline::after(lab.patience(READY)))
}
