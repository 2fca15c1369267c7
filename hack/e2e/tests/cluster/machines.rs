//! The two machines.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::kubectl::{Kubectl, is_ready, is_rolled_out, text};
use e2e::{Agent, Lab, Node, agent, health, places};
use provision::Deadline;
use serde_json::Value;

use crate::workload;

/// The cluster and its nodes.
pub(crate) const CLUSTER: &str = "shared";
pub(crate) const PLANE: &str = "shared-cp-1";
pub(crate) const WORKER: &str = "shared-worker-1";
pub(crate) const NODES: [&str; 2] = [PLANE, WORKER];

/// What programs take that start all at once.
pub(crate) const READY: Duration = Duration::from_secs(300);

/// The cluster as long as it is there.
pub(crate) struct Machines<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) kubectl: Kubectl,
    nodes: Vec<Node<'a>>,
}

impl<'a> Machines<'a> {
    /// As a person makes it, but for the agent in the machines.
    pub(crate) fn create(lab: &'a Lab) -> Result<Self> {
        let image = agent::equip_image(lab, &places::cloud_folder()?)?;
        let bundle = places::kubernetes_bundle()?;
        lab.osctl(&format!(
            "cluster create --name {CLUSTER} --kubernetes --workers 1 --memory 2048 --second-serial --image {} --bundle {}",
            image.display(),
            bundle.display()
        ))?
        .fine()?;
        // The context that comes with it leads there.
        let kubectl = Kubectl::with(lab, lab.home().join(".kube/config"), READY)?;
        for node in NODES {
            let said = kubectl.json(&format!("get node {node}"))?;
            ensure!(is_ready(&said), "{said}");
        }
        let cluster = lab.clusters().open(&CLUSTER.parse()?)?;
        let node = |name: &str| Ok(Node::new(lab, cluster.clone(), name.parse()?));
        let nodes = NODES.into_iter().map(node).collect::<Result<_>>()?;
        Ok(Self {
            lab,
            kubectl,
            nodes,
        })
    }

    /// One of them.
    pub(crate) fn node(&self, name: &str) -> Result<&Node<'a>> {
        let mut nodes = self.nodes.iter();
        let found = nodes.find(|it| it.name.as_str() == name);
        found.with_context(|| format!("a machine {name}"))
    }

    /// One of them, to be listened to.
    pub(crate) fn node_mut(&mut self, name: &str) -> Result<&mut Node<'a>> {
        let mut nodes = self.nodes.iter_mut();
        let found = nodes.find(|it| it.name.as_str() == name);
        found.with_context(|| format!("a machine {name}"))
    }

    /// The agent in one of them.
    pub(crate) fn agent(&self, name: &str) -> Result<Agent> {
        Agent::meet(self.lab, self.node(name)?)
    }

    /// Where a port of every node is reached from this host.
    pub(crate) fn forward(&mut self, port: u16) -> Result<Vec<SocketAddr>> {
        let forward = |node: &mut Node<'_>| {
            let name = node.name.clone();
            Ok(node.cluster.forward(&name, port)?.host)
        };
        self.nodes.iter_mut().map(forward).collect()
    }

    /// Waits until `osctl health` finds nothing wrong.
    pub(crate) fn are_well(&self) -> Result<()> {
        health::is_well(self.lab, READY)
    }

    /// Restarts one; it is Ready again, and what ran there runs.
    pub(crate) fn restart(&self, name: &str) -> Result<()> {
        let boot = |node: &Value| text(node, "/status/nodeInfo/bootID").to_owned();
        let get = format!("get node {name}");
        let before = boot(&self.kubectl.json(&get)?);
        ensure!(!before.is_empty(), "{name} has no boot");
        self.lab
            .osctl(&format!("reboot --wait -n {name}"))?
            .fine()?;
        self.kubectl
            .until(&get, |it| is_ready(it) && boot(it) != before)?;
        for set in workload::SETS {
            self.kubectl.until(&format!("get {set}"), is_rolled_out)?;
        }
        self.kubectl
            .prints(workload::ASK, |it| it.contains(workload::ANSWER))?;
        self.are_well()
    }

    /// What a node says of one of its services.
    pub(crate) fn service(&self, node: &str, service: &str) -> Result<Service> {
        let line = format!("get services {service} -n {node} -o json --timeout 5");
        let said = self.lab.osctl(&line)?.fine()?;
        let all: Vec<Value> = serde_json::from_str(&said)?;
        let spec = all.first().and_then(|it| it.get("spec"));
        let spec = spec.with_context(|| format!("{node} has no {service}: {said}"))?;
        Ok(Service {
            pid: spec.get("pid").map(Value::to_string).unwrap_or_default(),
            is_well: text(spec, "/state") == "running" && text(spec, "/health") == "healthy",
            last_exit: text(spec, "/lastExit").to_owned(),
        })
    }

    /// Waits until a service of a node runs and is well, as another process than before, and says how that ended.
    pub(crate) fn is_another(&self, node: &str, service: &str, before: &Service) -> Result<()> {
        let mut last = None;
        let another = Deadline::after(self.lab.patience(READY)).until(|| {
            // machined may be the one that was killed.
            let now = self.service(node, service);
            let found = now
                .as_ref()
                .ok()
                .is_some_and(|it| it.is_well && it.pid != before.pid && !it.last_exit.is_empty());
            last = Some(now);
            found.then_some(())
        });
        another.with_context(|| format!("{service} is {last:?}, and was {before:?}"))
    }
}

/// A service, as its node tells.
#[derive(Debug)]
pub(crate) struct Service {
    pid: String,
    is_well: bool,
    last_exit: String,
}
