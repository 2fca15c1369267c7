//! Tells the runtime of the network of pods, once the cluster has given the node a range for them.

use std::fs;
use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::{KUBERNETES, KubernetesSpec, NodeStatus, PodNetwork};
use resources::net::{HOSTNAME, HostnameSpec};

use crate::kubernetes::pod_network;
use crate::network::file;

/// The controller.
#[derive(Debug)]
pub struct Network {
    file: PathBuf,
}

cosi::declare! {
    Network as "kubernetes.node.network" {
        reads KubernetesSpec;
        reads NodeStatus;
        reads HostnameSpec;
    }
}

impl Network {
    /// Writes this file.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }
}

impl Controller for Network {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let Some(cluster) = cx.get::<KubernetesSpec>(KUBERNETES) else {
            if cx.deletions_allowed() && self.file.exists() {
                fs::remove_file(&self.file)?;
            }
            return Ok(Outcome::Done);
        };
        if cluster.spec.network == PodNetwork::None {
            // A network that somebody brings along must not find ours beside its own.
            if self.file.exists() {
                fs::remove_file(&self.file)?;
            }
            return Ok(Outcome::Done);
        }
        // As long as nobody says otherwise the pods keep what they have.
        let name = cx.get::<HostnameSpec>(HOSTNAME);
        let node = name.and_then(|it| cx.get::<NodeStatus>(&it.spec.hostname));
        let Some(node) = node.filter(|it| !it.spec.pod_ranges.is_empty()) else {
            return Ok(Outcome::WaitingOn(
                "a range of addresses for the node's pods".to_owned(),
            ));
        };
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let config = pod_network::config(&node.spec.pod_ranges);
        file::replace(&self.file, &format!("{config:#}\n"))?;
        Ok(Outcome::Done)
    }
}
