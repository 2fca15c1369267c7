//! Whose packets are masqueraded: those of pods on the node's own network, unless they are for pods or services.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::kubernetes::{KUBERNETES, KubernetesSpec, PodNetwork};
use resources::net::{MasqueradeSpec, PODS};

use crate::kubernetes::pod_network::BRIDGE;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "kubernetes.masquerade.config" {
        reads KubernetesSpec;
        writes MasqueradeSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let cluster = view.get::<KubernetesSpec>(KUBERNETES);
        if let Some(spec) = cluster.and_then(|it| wanted(&it.spec)) {
            out.put(PODS, spec);
        }
        Ok(Outcome::Done)
    }
}

/// None where somebody else brings the network along.
fn wanted(cluster: &KubernetesSpec) -> Option<MasqueradeSpec> {
    (cluster.network == PodNetwork::Builtin).then(|| MasqueradeSpec {
        sources: cluster.pod_ranges.clone(),
        except: cluster.service_ranges.clone(),
        inside: BRIDGE.parse().expect("the name of a link"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_themselves_to_pods_and_services_alone() {
        let mut cluster = KubernetesSpec {
            pod_ranges: vec!["10.244.0.0/16".parse().unwrap()],
            service_ranges: vec!["10.96.0.0/12".parse().unwrap()],
            ..KubernetesSpec::default()
        };
        let spec = wanted(&cluster).unwrap();
        assert_eq!(
            (spec.sources, spec.except),
            (cluster.pod_ranges.clone(), cluster.service_ranges.clone())
        );
        cluster.network = PodNetwork::None;
        assert_eq!(wanted(&cluster), None);
    }
}
