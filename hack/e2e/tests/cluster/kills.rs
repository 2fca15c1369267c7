//! Programs of the nodes are killed: the workload does not notice, and they come back.

use anyhow::{Context as _, Result, ensure};
use e2e::Agent;
use e2e::kubectl::text;
use provision::Deadline;
use serde_json::Value;

use crate::machines::{Machines, PLANE, READY, WORKER};
use crate::workload::Workload;

/// What is killed on each node, one after the other.
pub(crate) const KILLED: [(&str, &[&str]); 2] = [
    (
        PLANE,
        &[
            "networkd",
            "machined",
            "containerd",
            "kubelet",
            "etcd",
            API_SERVER,
        ],
    ),
    (WORKER, &["containerd", "kubelet", "machined", "networkd"]),
];

/// The one among them that is no service, but a pod.
const API_SERVER: &str = "kube-apiserver";

/// Kills one, and waits until another one runs.
pub(crate) fn nobody_notices(
    machines: &Machines<'_>,
    workload: &mut Workload,
    agent: &mut Agent,
    node: &str,
    name: &str,
) -> Result<()> {
    workload.goes_on().context("before")?;
    if name == API_SERVER {
        let before = agent.ask_one(&format!("kill {name}"))?;
        workload.goes_on().context("at once")?;
        let deadline = Deadline::after(machines.lab.patience(READY));
        let pid = format!("pid {name}");
        let another = deadline.until(|| agent.ask_one(&pid).ok().filter(|it| *it != before));
        another.context("no other one was started")?;
        machines
            .kubectl
            .prints("get --raw /readyz", |it| it == "ok")?;
    } else {
        let before = machines.service(node, name)?;
        agent.ask_one(&format!("kill {name}"))?;
        workload.goes_on().context("at once")?;
        machines.is_another(node, name, &before)?;
    }
    workload.goes_on().context("when another one runs")
}

/// The cluster is well, and none of the workload was started again.
pub(crate) fn all_is_as_before(machines: &Machines<'_>, workload: &mut Workload) -> Result<()> {
    machines.are_well()?;
    pods_are_the_same(machines)?;
    workload.goes_on()
}

/// None of the workload was started again.
fn pods_are_the_same(machines: &Machines<'_>) -> Result<()> {
    for app in ["echo", "stream"] {
        let pods = machines
            .kubectl
            .json(&format!("get pods --selector app={app}"))?;
        let pods = pods.pointer("/items").and_then(Value::as_array);
        let pods = pods.context("a list of pods")?;
        ensure!(pods.len() == 2, "{pods:?}");
        for pod in pods {
            let restarts = pod.pointer("/status/containerStatuses/0/restartCount");
            let name = text(pod, "/metadata/name");
            ensure!(
                restarts.and_then(Value::as_u64) == Some(0),
                "{name} was started again {restarts:?} times"
            );
        }
    }
    Ok(())
}
