//! The pods that a node of a control plane runs.

use ::config::KubernetesTrustConfig;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec, StaticPod};
use resources::net::{CURRENT, NodeAddress};

use super::{Facts, pods};
use crate::kubernetes::{address, inputs, settings};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "kubernetes.static-pod.config" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads NodeAddress;
        writes StaticPod;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let cluster = view.get::<KubernetesSpec>(KUBERNETES);
        let Some(cluster) = cluster.filter(|it| it.spec.control_plane) else {
            return Ok(Outcome::Done);
        };
        let documents = crate::config::documents(view)?;
        let Some(trust) = documents.kubernetes_trust() else {
            return Ok(Outcome::WaitingOn(
                "a KubernetesTrust in the config".to_owned(),
            ));
        };
        let Some(addresses) = view.get::<NodeAddress>(CURRENT) else {
            return Ok(Outcome::WaitingOn("the node's addresses".to_owned()));
        };
        let Some(&address) = address::of(&cluster.spec, &addresses.spec).first() else {
            return Ok(Outcome::WaitingOn("an address of the node".to_owned()));
        };
        let inputs = inputs(trust);
        let facts = Facts {
            cluster: &cluster.spec,
            address,
            inputs: &inputs,
        };
        out.put_all(pods(&facts));
        Ok(Outcome::Done)
    }
}

/// Of what the programs read once: keys that all nodes have in common, authorities, settings. Certificates of their own
/// they look for again by themselves.
fn inputs(trust: &KubernetesTrustConfig) -> String {
    let settings = [settings::authentication(), settings::audit_policy()].map(|it| it.to_string());
    let secrets = trust.control_plane.iter().flat_map(|it| {
        [
            it.issuer.certificate.as_pem(),
            it.aggregator.certificate.as_pem(),
            it.etcd.certificate.as_pem(),
            it.service_account_key.as_pem(),
            it.encryption_key.as_base64(),
        ]
    });
    let settings = settings.iter().map(String::as_str);
    inputs::of(settings.chain([trust.ca.as_pem()]).chain(secrets))
}
