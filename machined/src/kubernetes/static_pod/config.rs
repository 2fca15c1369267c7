//! The pods that a node of a control plane runs.

use std::time::Duration;

use ::config::{ApiServerConfig, KubernetesTrustConfig};
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::config::MachineConfig;
use resources::kubernetes::{
    ETCD, EtcdSpec, KUBERNETES, KubernetesRelease, KubernetesSpec, StaticPod,
};
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
        reads EtcdSpec;
        reads KubernetesRelease;
        reads NodeAddress;
        writes StaticPod;
    }
}

impl Controller for Config {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let Some(cluster) = cluster.filter(|it| it.spec.control_plane) else {
            cx.replace::<StaticPod>();
            return Ok(Outcome::Done);
        };
        let Some(etcd) = cx.get::<EtcdSpec>(ETCD) else {
            return Ok(Outcome::WaitingOn("how etcd is to run".to_owned()));
        };
        let documents = crate::config::documents(cx.parts().0)?;
        let Some(trust) = documents.kubernetes_trust() else {
            return Ok(Outcome::WaitingOn(
                "a KubernetesTrust in the config".to_owned(),
            ));
        };
        let Some(release) = cx.get::<KubernetesRelease>(KUBERNETES) else {
            return Ok(Outcome::WaitingOn("what may be run".to_owned()));
        };
        // A node that has lost its address for a moment keeps its pods.
        let Some(addresses) = cx.get::<NodeAddress>(CURRENT) else {
            return Ok(Outcome::WaitingOn("the node's addresses".to_owned()));
        };
        let Some(&address) = address::of(&cluster.spec, &addresses.spec).first() else {
            return Ok(Outcome::WaitingOn("an address of the node".to_owned()));
        };
        let server = documents.api_server().cloned().unwrap_or_default();
        let inputs = inputs(trust, &server);
        let facts = Facts {
            cluster: &cluster.spec,
            release: &release.spec,
            address,
            election: Duration::from_millis(etcd.spec.election_ms),
            server: &server,
            inputs: &inputs,
        };
        cx.replace::<StaticPod>();
        for (name, pod) in pods(&facts) {
            cx.put(name, pod);
        }
        Ok(Outcome::Done)
    }
}

/// Of what the programs read once: keys that all nodes have in common, authorities, settings. Certificates of their own
/// they look for again by themselves.
fn inputs(trust: &KubernetesTrustConfig, server: &ApiServerConfig) -> String {
    let settings = [
        settings::authentication(),
        settings::audit_policy(server),
        settings::admission(server),
    ]
    .map(|it| it.to_string());
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
