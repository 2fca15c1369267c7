//! Clusters of Kubernetes that lose what they can lose: one of three control planes, the power of the only one. Long tests: each
//! keeps several machines busy for many minutes where these are emulated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::kubectl::{Kubectl, is_ready, text};
use e2e::{Lab, Node, health, osctl, places};
use provision::Deadline;

/// What programs take that start all at once, on machines that share the processors.
const READY: Duration = Duration::from_secs(600);

/// How many times the power goes.
const CUTS: usize = 5;

fn create(lab: &Lab, cluster: &str, more: &str) -> Result<()> {
    let (image, bundle) = (places::cloud_folder()?, places::kubernetes_bundle()?);
    let line = format!(
        "cluster create --name {cluster} --kubernetes --workers 0 --cpus 2 --memory 2048 {more} --image {} --bundle {}",
        image.display(),
        bundle.display()
    );
    let made = osctl::run(lab.home(), line.split_whitespace(), lab.patience(READY));
    made?.fine().map(drop)
}

fn kubectl(lab: &Lab, cluster: &str, node: &str) -> Result<Kubectl> {
    Kubectl::of(lab, cluster, node, READY)
}

fn is_well(lab: &Lab) -> Result<()> {
    health::is_well(lab, READY)
}

#[test]
#[ignore = "long: three machines with etcd and an API server each"]
fn one_of_three_control_planes_is_lost_and_returns() -> Result<()> {
    const NODES: [&str; 3] = ["planes-cp-1", "planes-cp-2", "planes-cp-3"];
    let lab = Lab::new(3)?;
    create(&lab, "planes", "--control-planes 3")?;
    is_well(&lab)?;
    let voters = |said: &str| said.matches("voter").count() == NODES.len();
    let members = lab.osctl("etcd members")?.fine()?;
    ensure!(voters(&members), "{members}");
    let second = lab.osctl("bootstrap --no-wait -n planes-cp-2")?.fine()?;
    ensure!(second.contains("had begun before"), "{second}");

    let ways = NODES.map(|node| kubectl(&lab, "planes", node));
    let ways: Vec<_> = ways.into_iter().collect::<Result<_>>()?;
    for (number, lost) in NODES.into_iter().enumerate() {
        let cluster = lab.clusters().open(&"planes".parse()?)?;
        let mut node = Node::new(&lab, cluster, lost.parse()?);
        let other = ways.get((number + 1) % NODES.len());
        let (own, other) = (
            ways.get(number).context("its API")?,
            other.context("another")?,
        );
        node.power_cut()?;
        // The first one is the cluster's endpoint too: the others do not need it.
        let made = format!("create configmap without-{number}");
        let deadline = Deadline::after(lab.patience(READY));
        let done = deadline.until(|| other.run(&made).ok());
        done.with_context(|| format!("nothing is written without {lost}"))?;
        ensure!(!health::failed(&lab)?.is_empty(), "nobody misses {lost}");
        node.start()?;
        is_well(&lab)?;
        other.until(&format!("get node {lost}"), is_ready)?;
        own.until(&format!("get configmap without-{number}"), |_| true)?;
    }
    lab.osctl_until("etcd members", voters).map(drop)
}

#[test]
#[ignore = "long: a control plane starts again and again"]
fn what_was_acknowledged_is_there_after_power_cuts() -> Result<()> {
    let lab = Lab::new(2)?;
    create(&lab, "cut", "")?;
    let kubectl = kubectl(&lab, "cut", "cut-cp-1")?;
    let cluster = lab.clusters().open(&"cut".parse()?)?;
    let mut node = Node::new(&lab, cluster, "cut-cp-1".parse()?);
    let mut kept = 0;
    for cut in 1..=CUTS {
        let gone = AtomicBool::new(false);
        let acknowledged = thread::scope(|scope| {
            let writer = scope.spawn(|| write(&kubectl, kept, &gone));
            // As soon as some are written, in the middle of one.
            let some = format!("get configmap kept-{}", kept + 2 * cut);
            let written = kubectl.until(&some, |_| true);
            let off = node.power_cut();
            gone.store(true, Ordering::Relaxed);
            let writer = writer.join();
            written?;
            off?;
            writer.map_err(|_| anyhow::anyhow!("the writer"))
        })?;
        ensure!(acknowledged > kept, "nothing was written");
        kept = acknowledged;
        node.start()?;
        kubectl.until("get node cut-cp-1", is_ready)?;
        for number in 0..kept {
            let found = kubectl.json(&format!("get configmap kept-{number}"))?;
            let found = text(&found, "/data/number").to_owned();
            ensure!(
                found == number.to_string(),
                "cut {cut}: {number} is {found:?}"
            );
        }
    }
    is_well(&lab)
}

/// Writes one object after the other until the power is gone; how many were acknowledged in all.
fn write(kubectl: &Kubectl, kept: usize, gone: &AtomicBool) -> usize {
    let mut number = kept;
    while !gone.load(Ordering::Relaxed) {
        let order = format!("create configmap kept-{number} --from-literal=number={number}");
        match kubectl.run(&order) {
            Ok(_) => number += 1,
            // An earlier try that was not acknowledged did it.
            Err(error) if error.to_string().contains("already exists") => number += 1,
            Err(_) => {}
        }
    }
    number
}
