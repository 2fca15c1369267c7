//! What a node says of the Kubernetes that it runs, and how far it is on the way to another version. Pure but for the asking.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use config::skew::Release;
use cosi::wire::Client;
use resources::kubernetes::{ApiServerEndpoint, KubernetesRelease, KubernetesSpec, NodeStatus};
use resources::net::HostnameSpec;
use resources::runtime::{Health, ServiceState, ServiceStatus};
use store::Registry;
use tonic::transport::Channel;

use super::super::seen::all;
use crate::output;

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Its name in the cluster.
    pub(super) own: String,
    /// The cluster; none where no Kubernetes runs.
    pub(super) cluster: Option<KubernetesSpec>,
    /// What of it the node runs.
    pub(super) release: KubernetesRelease,
    /// The API servers that it knows.
    pub(super) servers: BTreeMap<String, ApiServerEndpoint>,
    /// The nodes that it knows.
    pub(super) nodes: BTreeMap<String, NodeStatus>,
    /// Its services.
    pub(super) services: BTreeMap<String, ServiceStatus>,
}

/// A node by the name that it was asked by, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The name.
    pub(super) name: String,
    /// What it says.
    pub(super) facts: Facts,
}

impl Facts {
    /// Asks a node.
    pub(super) async fn of(channel: Channel) -> Result<Self> {
        let mut registry = Registry::new();
        registry
            .register::<HostnameSpec>()?
            .register::<KubernetesSpec>()?
            .register::<KubernetesRelease>()?
            .register::<ApiServerEndpoint>()?
            .register::<NodeStatus>()?
            .register::<ServiceStatus>()?;
        let client = Client::new(channel, Arc::new(registry));
        let name = all::<HostnameSpec>(&client).await?.into_values().next();
        let release = all::<KubernetesRelease>(&client).await?;
        Ok(Self {
            own: name.map(|it| it.hostname).unwrap_or_default(),
            cluster: all(&client).await?.into_values().next(),
            release: release.into_values().next().unwrap_or_default(),
            servers: all(&client).await?,
            nodes: all(&client).await?,
            services: all(&client).await?,
        })
    }

    /// Whether it is of the control plane.
    pub(super) fn is_plane(&self) -> bool {
        self.cluster.as_ref().is_some_and(|it| it.control_plane)
    }

    /// The version in its config.
    pub(super) fn version(&self) -> &str {
        self.cluster.as_ref().map_or("", |it| it.version.as_str())
    }

    /// What is missing until its API server answers as this version.
    pub(super) fn serving(&self, to: Release) -> Option<String> {
        let to = to.to_string();
        if let Some(waits) = self.taken(&to) {
            return Some(waits);
        }
        if self.release.api_server != to {
            return Some(self.release.held.clone());
        }
        let own = self.servers.values().find(|it| it.node == self.own);
        let Some(own) = own else {
            return Some("waits for its API server".to_owned());
        };
        if !own.well {
            return Some(format!("waits for its API server: {}", own.reason));
        }
        (own.version != to).then(|| format!("waits for its API server, which is {}", own.version))
    }

    /// What is missing until its kubelet is this version, and pods can run there.
    pub(super) fn following(&self, to: Release) -> Option<String> {
        let to = to.to_string();
        if let Some(waits) = self.taken(&to) {
            return Some(waits);
        }
        if self.release.clients != to {
            return Some(format!("kubelet goes on as it is: {}", self.release.held));
        }
        if let Some(waits) = self.service("kubelet") {
            return Some(waits);
        }
        let Some(node) = self.nodes.get(&self.own) else {
            return Some("the cluster does not know it".to_owned());
        };
        if node.kubelet_version.trim_start_matches('v') != to {
            return Some(format!(
                "the cluster has its kubelet as {}",
                node.kubelet_version
            ));
        }
        (!node.ready).then(|| format!("it is not Ready: {}", node.reason))
    }

    /// Whether its config has taken effect.
    fn taken(&self, to: &str) -> Option<String> {
        if self.version() != to {
            return Some(format!("its config has {}", self.version()));
        }
        (self.release.wanted != to).then(|| "waits for its config to take effect".to_owned())
    }

    /// What is wrong with a service.
    pub(super) fn service(&self, name: &str) -> Option<String> {
        let Some(status) = self.services.get(name) else {
            return Some(format!("waits for {name}"));
        };
        if status.state == ServiceState::Running && status.health == Health::Healthy {
            return None;
        }
        let is = match status.state {
            ServiceState::Running => output::word(&status.health),
            _ => output::word(&status.state),
        };
        let separator = if status.reason.is_empty() { "" } else { ": " };
        Some(format!("{name} is {is}{separator}{}", status.reason))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A node that is well at a version, beside nodes of the control plane with API servers of these versions.
    pub(in super::super) fn node(
        name: &str,
        control_plane: bool,
        version: &str,
        servers: &[(&str, &str)],
    ) -> Node {
        let server = |(node, version): &(&str, &str)| {
            let spec = ApiServerEndpoint {
                node: (*node).to_owned(),
                well: true,
                version: (*version).to_owned(),
                ..ApiServerEndpoint::default()
            };
            (format!("{node}:6443"), spec)
        };
        let kubelet = ServiceStatus {
            state: ServiceState::Running,
            health: Health::Healthy,
            ..ServiceStatus::default()
        };
        let known = NodeStatus {
            ready: true,
            kubelet_version: format!("v{version}"),
            control_plane,
            ..NodeStatus::default()
        };
        let own = if control_plane { version } else { "" };
        Node {
            name: name.to_owned(),
            facts: Facts {
                own: name.to_owned(),
                cluster: Some(KubernetesSpec {
                    version: version.to_owned(),
                    control_plane,
                    ..KubernetesSpec::default()
                }),
                release: KubernetesRelease {
                    wanted: version.to_owned(),
                    api_server: own.to_owned(),
                    clients: version.to_owned(),
                    served: own.to_owned(),
                    held: String::new(),
                },
                servers: servers.iter().map(server).collect(),
                nodes: [(name.to_owned(), known)].into(),
                services: ["kubelet", "etcd"]
                    .map(|it| (it.to_owned(), kubelet.clone()))
                    .into(),
            },
        }
    }

    #[test]
    fn a_control_plane_says_how_far_it_is() {
        let to: Release = "1.37.1".parse().expect("a version");
        let Node { mut facts, .. } = node("cp-1", true, "1.36.3", &[("cp-1", "1.36.3")]);
        let serving = |facts: &Facts| facts.serving(to).unwrap_or_default();
        assert_eq!(serving(&facts), "its config has 1.36.3");
        facts.cluster.as_mut().expect("there").version = "1.37.1".to_owned();
        assert_eq!(serving(&facts), "waits for its config to take effect");
        facts.release.wanted = "1.37.1".to_owned();
        facts.release.held = "a rule".to_owned();
        assert_eq!(serving(&facts), "a rule");
        facts.release.api_server = "1.37.1".to_owned();
        assert!(serving(&facts).ends_with("which is 1.36.3"));
        let own = facts.servers.get_mut("cp-1:6443").expect("there");
        own.version = "1.37.1".to_owned();
        assert_eq!(serving(&facts), "");
        let own = facts.servers.get_mut("cp-1:6443").expect("there");
        (own.well, own.reason) = (false, "refused".to_owned());
        assert_eq!(serving(&facts), "waits for its API server: refused");
    }

    #[test]
    fn a_kubelet_says_how_far_it_is() {
        let to: Release = "1.37.1".parse().expect("a version");
        let Node { mut facts, .. } = node("worker-1", false, "1.37.1", &[]);
        let following = |facts: &Facts| facts.following(to).unwrap_or_default();
        assert_eq!(following(&facts), "");
        facts.nodes.get_mut("worker-1").expect("there").ready = false;
        assert!(following(&facts).starts_with("it is not Ready"));
        let known = facts.nodes.get_mut("worker-1").expect("there");
        known.kubelet_version = "v1.36.3".to_owned();
        assert_eq!(following(&facts), "the cluster has its kubelet as v1.36.3");
        facts.services.clear();
        assert_eq!(following(&facts), "waits for kubelet");
        facts.release.clients = "1.36.3".to_owned();
        facts.release.held = "a rule".to_owned();
        assert_eq!(following(&facts), "kubelet goes on as it is: a rule");
    }
}
