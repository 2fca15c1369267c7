//! How a node of Kubernetes starts, and what it weighs and does at rest: a control plane with two processors and a worker.
//!
//! The cluster begins, its pods run, and then the control plane is shut down and started again: everything is on its disk, and nobody
//! has to do anything. That start is what is measured. The machine's own moments are carried over to the host's clock by what it says
//! of how long it has run.

mod told;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Kubectl, PROBE, is_ready, is_rolled_out, text};
use e2e::{Agent, Lab, Node, agent, places};
use provision::{Cluster, ClusterSpec, Deadline, Disk, Medium, VmSpec};

use crate::boot::Ear;
use crate::clock;
use crate::row::{Row, Unit};
use told::Start;

/// The cluster and its nodes.
const CLUSTER: &str = "bench";
const PLANE: &str = "bench-cp-1";
const WORKER: &str = "bench-worker-1";

/// Where the API server listens.
const API: u16 = 6443;

/// The machines, in MiB and processors: what a local cluster gives them at least.
const PLANE_SIZE: (u32, u32) = (2048, 2);
const WORKER_SIZE: (u32, u32) = (1024, 1);

/// Room for images and for etcd; the host keeps what is written.
const DISK: u64 = 10 << 30;

/// For everything that takes long: the first start of all programs, with hardware virtualisation.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks; what is measured is that coarse.
const PAUSE: Duration = Duration::from_millis(250);

/// How long nodes are left alone before they are looked at, and for how long they are then.
const REST: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(60);

/// A pod of the control plane, which is asked through the API server.
const POD: &str = concat!(
    "apiVersion: v1\nkind: Pod\nmetadata: {name: bench, namespace: default}\n",
    "spec:\n  nodeSelector: {kubernetes.io/hostname: bench-cp-1}\n",
    "  tolerations: [{operator: Exists}]\n",
    "  containers: [{name: probe, image: PROBE, args: [http]}]\n"
);

/// What the pod is asked.
const ASK: &str = "get --raw=/api/v1/namespaces/default/pods/bench:8080/proxy/";

/// All rows.
pub(crate) fn measure() -> Result<Vec<Row>> {
    let lab = Lab::new(2)?.quiet();
    let bundle = places::kubernetes_bundle()?;
    let bytes = std::fs::metadata(&bundle).context("the bundle")?.len();
    let mut rows = vec![Row::bytes("kubernetes.size.bundle", bytes)];
    let cluster = machines(&lab, &bundle)?;
    let mut plane = Node::new(&lab, cluster.clone(), PLANE.parse()?);
    let mut worker = Node::new(&lab, cluster, WORKER.parse()?);
    configure(&lab, &mut plane, &mut worker)?;
    let kubectl = Kubectl::of(&lab, CLUSTER, PLANE, PATIENCE)?;
    rows.extend(begin(&lab, &kubectl)?);
    // A pod that the worker has an image for, and a service.
    kubectl.until(&format!("get node {WORKER}"), is_ready)?;
    kubectl.until("get -n kube-system daemonset/kube-proxy", is_rolled_out)?;
    kubectl.apply(&POD.replace("PROBE", PROBE))?;
    poll(&lab, || kubectl.run(ASK).is_ok())?;

    let mut of_plane = restart(&lab, &mut plane, &kubectl, &mut rows)?;
    let mut of_worker = Agent::meet(&lab, &worker)?;
    kubectl.until("get -n kube-system daemonset/kube-proxy", is_rolled_out)?;
    rest(REST);
    rows.extend(told::weights("control-plane", true, &of_plane.ask("rss")?)?);
    rows.extend(told::weights("worker", false, &of_worker.ask("rss")?)?);
    let mut both = [("control-plane", &mut of_plane), ("worker", &mut of_worker)];
    rows.extend(idle(&mut both)?);
    Ok(rows)
}

/// The machines, each with an agent in it.
fn machines(lab: &Lab, bundle: &std::path::Path) -> Result<Cluster> {
    let image = places::cloud()?;
    let machine = |name: &str, (memory, cpus): (u32, u32)| -> Result<VmSpec> {
        let mut vm = image.vm(name.parse()?, memory, Medium::Direct, false)?;
        vm.cpus = cpus;
        vm.disks.push(Disk::system(DISK));
        vm.disks.push(Disk::bundle(bundle));
        agent::equip(lab, &mut vm)?;
        Ok(vm)
    };
    let mut plane = machine(PLANE, PLANE_SIZE)?;
    plane.ports.push(API);
    let spec = ClusterSpec {
        name: CLUSTER.parse()?,
        tftp: None,
        closed: false,
        vms: vec![plane, machine(WORKER, WORKER_SIZE)?],
    };
    Ok(lab.clusters().create(lab.host(), &spec)?)
}

/// Gives both their configs; the worker joins when the cluster has begun.
fn configure<'a>(lab: &Lab, plane: &mut Node<'a>, worker: &mut Node<'a>) -> Result<()> {
    let lease = plane.cluster.vm(&plane.name)?.lease;
    let lease = lease.context("the control plane has no address")?;
    lab.osctl(&format!(
        "gen secrets --cluster {CLUSTER} --kubernetes-endpoint {lease}"
    ))?
    .fine()?;
    let api = plane.api()?;
    lab.osctl(&format!("gen crt --name {CLUSTER} --node {PLANE}={api}"))?
        .fine()?;
    for (node, role) in [(plane, "control-plane"), (worker, "worker")] {
        let (pairing, api) = (node.pairing()?, node.api()?);
        let name = node.name.as_str();
        let words = format!("gen config {name} --role {role} --system-disk");
        let words = words.split(' ').chain(["serial == \"system\""]);
        lab.osctl_with(words)?.fine()?;
        lab.osctl(&format!(
            "apply --file {name}.yaml --nodes {api} --pairing {pairing}"
        ))?
        .fine()?;
    }
    e2e::volumes::ready(lab)
}

/// Has the cluster begin: how long that takes, the first time.
fn begin(lab: &Lab, kubectl: &Kubectl) -> Result<Vec<Row>> {
    let since = Instant::now();
    lab.osctl("bootstrap --no-wait")?.fine()?;
    let api = poll(lab, || is_well(kubectl))?;
    let ready = poll(lab, || node_is_ready(kubectl, "").is_some())?;
    let seconds = |name: &str, moment: Instant| {
        let took = moment.duration_since(since).as_secs_f64();
        Row::new(
            format!("kubernetes.begin.{name}"),
            Unit::Seconds,
            vec![took],
        )
    };
    Ok(vec![seconds("api", api), seconds("ready", ready)])
}

/// Shuts the control plane down and starts it again, measured; gives the agent in it.
fn restart(
    lab: &Lab,
    plane: &mut Node<'_>,
    kubectl: &Kubectl,
    rows: &mut Vec<Row>,
) -> Result<Agent> {
    let before = node_is_ready(kubectl, "").context("the node is not Ready any more")?;
    lab.osctl("shutdown")?.fine()?;
    plane.is_off()?;
    let since = Instant::now();
    plane.start()?;
    let ear = Ear::new(plane, since)?;
    let api = poll(lab, || is_well(kubectl))?;
    let ready = poll(lab, || node_is_ready(kubectl, &before).is_some())?;
    let pod = poll(lab, || kubectl.run(ASK).is_ok())?;
    let told = ear.listen_until(lab.change_deadline(), clock::moments)?;

    let mut agent = Agent::meet(lab, plane)?;
    let at = |moment: Instant| moment.duration_since(since).as_secs_f64();
    let asked = Instant::now();
    let uptime = agent.ask("read /proc/uptime")?.concat();
    let uptime = told::uptime(&uptime).with_context(|| uptime.clone())?;
    let pid = agent.ask_one("pid kube-apiserver")?;
    let stat = agent.ask(&format!("read /proc/{pid}/stat"))?.concat();
    let began = told::began(&stat).with_context(|| stat.clone())?;
    let log = lab.osctl("logs etcd")?.fine()?;
    let etcd = told::etcd(&log).context("etcd does not say when it served")?;
    let start = Start {
        user: told.began,
        began: at(asked) - uptime + began,
        api: at(api),
        ready: at(ready),
        pod: at(pod),
        etcd,
    };
    ensure!(start.began < start.api, "{start:?}: it was restarted");
    rows.extend(start.rows());
    Ok(agent)
}

fn is_well(kubectl: &Kubectl) -> bool {
    kubectl
        .run("get --raw=/readyz")
        .is_ok_and(|said| said.trim() == "ok")
}

/// The boot of the control plane when it is Ready, and that is another one than `before`.
fn node_is_ready(kubectl: &Kubectl, before: &str) -> Option<String> {
    let node = kubectl.json(&format!("get node {PLANE}")).ok()?;
    let boot = text(&node, "/status/nodeInfo/bootID");
    (is_ready(&node) && boot != before).then(|| boot.to_owned())
}

/// Looks at something until it is so; the moment at which it was.
fn poll(lab: &Lab, mut is_so: impl FnMut() -> bool) -> Result<Instant> {
    let deadline = Deadline::after(lab.patience(PATIENCE));
    loop {
        if is_so() {
            return Ok(Instant::now());
        }
        let limit = deadline.limit();
        deadline
            .left()
            .with_context(|| format!("what was waited for did not come within {limit:?}"))?;
        rest(PAUSE);
    }
}

/// How busy nodes are that have nothing to do, in percent of one processor.
fn idle(nodes: &mut [(&str, &mut Agent)]) -> Result<Vec<Row>> {
    let mut look = || {
        let mut seen = Vec::new();
        for (_, agent) in nodes.iter_mut() {
            let uptime = agent.ask("read /proc/uptime")?.concat();
            let stat = agent.ask("read /proc/stat")?.join("\n");
            let both = told::uptime(&uptime).zip(told::busy(&stat));
            seen.push(both.with_context(|| format!("{uptime}\n{stat}"))?);
        }
        anyhow::Ok(seen)
    };
    let before = look()?;
    rest(LOOK);
    let after = look()?;
    let names = nodes.iter().map(|(name, _)| *name);
    let rows = names.zip(before).zip(after);
    Ok(rows
        .map(|((name, (from, idle)), (to, busy))| {
            let percent = (busy - idle) / (to - from) * 100.0;
            Row::new(
                format!("kubernetes.idle.{name}"),
                Unit::Percent,
                vec![percent],
            )
        })
        .collect())
}

fn rest(time: Duration) {
    Deadline::after(time).until(|| None::<()>);
}
