//! Has the kubelet run on every node of a cluster.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::kubernetes::{KUBELET, KUBERNETES, KubeletSpec, KubernetesSpec};
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
        reads KubeletSpec;
        reads NodeAddress;
        reads HostnameSpec;
        shares ServiceSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let (Some(cluster), Some(node)) = (
            view.get::<KubernetesSpec>(KUBERNETES),
            view.get::<KubeletSpec>(KUBELET),
        ) else {
            return Ok(Outcome::Done);
        };
        let (Some(known), Some(hostname)) = (
            view.get::<NodeAddress>(CURRENT),
            view.get::<HostnameSpec>(HOSTNAME),
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
            node: &node.spec,
            name: &hostname.spec.hostname,
            addresses: &addresses,
            inputs: &inputs::of([read.as_str()]),
        };
        out.put(Component::Kubelet.name(), service::spec(&facts));
        Ok(Outcome::Done)
    }
}
