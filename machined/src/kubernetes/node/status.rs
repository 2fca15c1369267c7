//! Shows the nodes of the cluster, and whether the own one has what its config says.
//!
//! Two tasks belong to it and end with it: one follows what the cluster says (`follow`), one changes the own node (`keep`). What the
//! cluster said last is in a file in memory too, so that routes to other nodes outlive machined while no API server answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::config::MachineConfig;
use resources::kubernetes::{KUBELET, KUBERNETES, KubeletSpec, KubernetesSpec, NodeStatus};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::{Condition, Departure, LAST, MachineStatus, THIS};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ask::Asker;
use super::follow::follow;
use super::keep::{Wanted, keep};
use super::known::Known;
use crate::kubernetes::admin::Admins;
use crate::network::file;

/// What the cluster said last.
pub const FILE: &str = "/run/garboard/kubernetes/nodes.json";

/// The condition that the own node has the labels, annotations and taints of its config.
pub const CONDITION: &str = "node";

/// The controller.
#[derive(Debug)]
pub struct Status {
    asker: Asker,
    admins: Admins,
    file: PathBuf,
    known: watch::Sender<Known>,
    running: Option<Running>,
}

/// The tasks for a node of this name; dropped, they end.
#[derive(Debug)]
struct Running {
    name: String,
    wanted: watch::Sender<Wanted>,
    tasks: JoinSet<()>,
}

cosi::declare! {
    Status as "kubernetes.node.status" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads KubeletSpec;
        reads HostnameSpec;
        reads MachineStatus;
        // A cordon of the node's own is left while there is one under way.
        reads Departure;
        shares Condition;
        writes NodeStatus;
    }
}

impl Status {
    /// Asks as the kubelet, whose files are in this folder, or as an administrator; remembers in a file.
    #[must_use]
    pub fn new(folder: PathBuf, file: PathBuf, admins: Admins) -> Self {
        Self {
            asker: Asker::new(folder),
            admins,
            file,
            known: watch::Sender::default(),
            running: None,
        }
    }

    async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.tasks.shutdown().await;
        }
    }

    /// Has the tasks run for a node of this name.
    async fn run(&mut self, name: &str, wanted: Wanted) {
        if let Some(running) = &self.running
            && running.name == name
        {
            running.wanted.send_if_modified(|it| {
                let news = *it != wanted;
                *it = wanted;
                news
            });
            return;
        }
        self.stop().await;
        let nodes = fs::read(&self.file).unwrap_or_default();
        self.known.send_replace(Known {
            // None, or a spoilt one, is one that has to be asked for.
            nodes: serde_json::from_slice(&nodes).unwrap_or_default(),
            fault: Some("the API server was not asked yet".to_owned()),
            ..Known::default()
        });
        let (wanted, seen) = watch::channel(wanted);
        let mut tasks = JoinSet::new();
        let (asker, known) = (&self.asker, &self.known);
        tasks.spawn(follow(asker.clone(), name.to_owned(), known.clone()));
        let (asker, admins) = (asker.clone(), self.admins.clone());
        tasks.spawn(keep(asker, admins, name.to_owned(), seen, known.clone()));
        self.running = Some(Running {
            name: name.to_owned(),
            wanted,
            tasks,
        });
    }

    fn remember(&self, nodes: &BTreeMap<String, NodeStatus>) -> Result<(), Error> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string(nodes)?;
        Ok(file::replace(&self.file, &text)?)
    }
}

/// The nodes as they are shown: that the own one is well is not believed of an API server that does not answer.
fn shown(known: &Known, own: &str) -> BTreeMap<String, NodeStatus> {
    let mut nodes = known.nodes.clone();
    if let (Some(node), Some(fault)) = (nodes.get_mut(own), &known.fault) {
        node.ready = false;
        node.reason.clone_from(fault);
    }
    nodes
}

fn condition(unmet: Option<&String>) -> Condition {
    let message = unmet.map_or(
        "it has the labels, annotations and taints of its config",
        |it| it,
    );
    Condition {
        met: unmet.is_none(),
        message: message.to_owned(),
    }
}

impl Controller for Status {
    fn sources(&mut self) -> Vec<Source> {
        let news = stream::unfold(self.known.subscribe(), |mut known| async move {
            known.changed().await.ok()?;
            Some(((), known))
        });
        vec![Box::pin(news)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let (Some(_), Some(node)) = (
            cx.get::<KubernetesSpec>(KUBERNETES),
            cx.get::<KubeletSpec>(KUBELET),
        ) else {
            self.stop().await;
            cx.replace::<NodeStatus>();
            cx.remove::<Condition>(CONDITION);
            if cx.deletions_allowed() && self.file.exists() {
                fs::remove_file(&self.file)?;
            }
            return Ok(Outcome::Done);
        };
        let Some(name) = cx.get::<HostnameSpec>(HOSTNAME) else {
            return Ok(Outcome::WaitingOn("the node's name".to_owned()));
        };
        let name = name.spec.hostname.clone();
        let documents = crate::config::documents(cx.parts().0)?;
        let trust = documents.kubernetes_trust();
        let plane = trust.filter(|it| it.control_plane.is_some());
        let leaves = cx.get::<Departure>(LAST);
        let leaves = leaves.is_some_and(|it| it.spec.is_under_way());
        let machine = cx.get::<MachineStatus>(THIS).filter(|_| !leaves);
        let wanted = Wanted {
            node: (*node.spec).clone(),
            plane: plane.cloned(),
            stays: machine.map(|it| it.spec.boot_id.clone()),
        };
        self.run(&name, wanted).await;
        let known = self.known.borrow().clone();
        if known.fault.is_none() {
            self.remember(&known.nodes)?;
        }
        match &known.own {
            Some(_) => cx.put(CONDITION, condition(known.unmet.as_ref())),
            None => cx.remove::<Condition>(CONDITION),
        }
        cx.replace::<NodeStatus>();
        for (name, status) in shown(&known, &name) {
            cx.put(name, status);
        }
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_node_is_doubted_while_nobody_answers() {
        let ready = NodeStatus {
            ready: true,
            ..NodeStatus::default()
        };
        let names = ["a", "b"].map(|it| (it.to_owned(), ready.clone()));
        let mut known = Known {
            nodes: names.into(),
            ..Known::default()
        };
        assert_eq!(shown(&known, "b"), known.nodes);
        known.fault = Some("refused".to_owned());
        let shown = shown(&known, "b");
        assert!(shown["a"].ready);
        assert!(!shown["b"].ready && shown["b"].reason == "refused");
    }
}
