//! The manifests of a cluster: on every node of its control plane the same.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::kubernetes::{KUBERNETES, KubernetesSpec, Manifest};

use super::own;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "kubernetes.manifest.config" {
        reads KubernetesSpec;
        writes Manifest;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let cluster = view.get::<KubernetesSpec>(KUBERNETES);
        let Some(cluster) = cluster.filter(|it| it.spec.control_plane) else {
            return Ok(Outcome::Done);
        };
        for (name, objects) in own(&cluster.spec) {
            let objects = objects.iter().map(ToString::to_string).collect();
            out.put(name, Manifest { objects });
        }
        Ok(Outcome::Done)
    }
}
