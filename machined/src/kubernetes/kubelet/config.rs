//! Has the kubelet run on every node of a cluster.

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::{KUBELET, KUBERNETES, KubeletSpec, KubernetesRelease, KubernetesSpec};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::ServiceSpec;

use super::service::{self, Facts};
use super::settings;
use crate::kubernetes::address;
use crate::kubernetes::component::Component;
use crate::kubernetes::inputs;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "kubernetes.kubelet.config" {
        reads KubernetesSpec;
        reads KubernetesRelease;
        reads KubeletSpec;
        reads NodeAddress;
        reads HostnameSpec;
        shares ServiceSpec;
    }
}

impl Controller for Config {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let (Some(cluster), Some(node)) = (
            cx.get::<KubernetesSpec>(KUBERNETES),
            cx.get::<KubeletSpec>(KUBELET),
        ) else {
            cx.replace::<ServiceSpec>();
            return Ok(Outcome::Done);
        };
        let release = cx.get::<KubernetesRelease>(KUBERNETES);
        let Some(release) = release.filter(|it| !it.spec.clients.is_empty()) else {
            return Ok(Outcome::WaitingOn(
                "a version that may be run; `osctl get releases` says why".to_owned(),
            ));
        };
        // A node that has lost its name or address for a moment keeps its pods.
        let (Some(known), Some(hostname)) = (
            cx.get::<NodeAddress>(CURRENT),
            cx.get::<HostnameSpec>(HOSTNAME),
        ) else {
            return Ok(Outcome::WaitingOn(
                "the node's name and addresses".to_owned(),
            ));
        };
        let addresses = address::of(&cluster.spec, &known.spec);
        if addresses.is_empty() {
            return Ok(Outcome::WaitingOn("an address of the node".to_owned()));
        }
        let read = settings::config(&cluster.spec, &node.spec).to_string();
        let facts = Facts {
            cluster: &cluster.spec,
            version: &release.spec.clients,
            node: &node.spec,
            name: &hostname.spec.hostname,
            addresses: &addresses,
            inputs: &inputs::of([read.as_str()]),
        };
        cx.put(Component::Kubelet.name(), service::spec(&facts));
        Ok(Outcome::Done)
    }
}
