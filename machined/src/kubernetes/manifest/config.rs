//! The manifests of a cluster: on every node of its control plane the same.
//!
//! Its own ones, and those that the config has the objects of; what is fetched is another controller's.

use std::collections::BTreeSet;

use ::config::{Documents, KubernetesManifestConfig};
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec, Manifest};
use serde_json::Value;

use super::object::Object;
use super::{id, own};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "kubernetes.manifest.config" {
        reads MachineConfig;
        reads KubernetesSpec;
        shares Manifest;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let cluster = view.get::<KubernetesSpec>(KUBERNETES);
        let Some(cluster) = cluster.filter(|it| it.spec.control_plane) else {
            return Ok(Outcome::Done);
        };
        let documents = crate::config::documents(view)?;
        for (name, manifest) in wanted(&documents, &cluster.spec) {
            out.put(name, manifest);
        }
        Ok(Outcome::Done)
    }
}

/// The manifests that can be told without asking anybody, by their ids.
#[must_use]
pub fn wanted(documents: &Documents, cluster: &KubernetesSpec) -> Vec<(String, Manifest)> {
    let inline = |it: &KubernetesManifestConfig| Some((id(&it.name), it.inline.clone()?));
    let written: Vec<_> = documents
        .kubernetes_manifests()
        .filter_map(inline)
        .collect();
    // Both are created once, and which of two of one name came first would decide.
    let taken: BTreeSet<_> = written
        .iter()
        .flat_map(|(_, it)| it.objects())
        .filter_map(key)
        .collect();
    let free = |it: &&Value| key(it).is_none_or(|it| !taken.contains(&it));
    let own = own(cluster).into_iter().map(|(name, objects)| {
        let objects = objects.iter().filter(free);
        (name.to_owned(), manifest(objects))
    });
    let written = written.iter();
    own.chain(written.map(|(id, it)| (id.clone(), manifest(it.objects()))))
        .collect()
}

/// What tells an object from all others.
fn key(object: &Value) -> Option<String> {
    Object::new(object.clone()).ok().map(|it| it.key())
}

fn manifest<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Manifest {
    Manifest {
        objects: objects.into_iter().map(ToString::to_string).collect(),
        reason: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_the_config_writes_stands_in_the_place_of_the_clusters_own() {
        let text = "apiVersion: garboard/v1alpha1\nkind: KubernetesManifest\nname: dns\ninline: |\n  apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: coredns, namespace: kube-system}\n---\napiVersion: garboard/v1alpha1\nkind: KubernetesManifest\nname: later\nurl: https://example.org/\n";
        let documents = ::config::parse("test", text.as_bytes()).unwrap();
        let cluster = KubernetesSpec::default();
        let names = |documents: &Documents| -> BTreeMap<String, Vec<String>> {
            let wanted = wanted(documents, &cluster).into_iter();
            let object = |text: &String| Object::new(serde_json::from_str(text).unwrap());
            let names = |it: &Manifest| -> Vec<_> {
                let objects = it.objects.iter();
                objects.map(|it| object(it).unwrap().to_string()).collect()
            };
            wanted.map(|(id, it)| (id, names(&it))).collect()
        };
        let before = names(&Documents::default());
        let mut after = names(&documents);
        let deployment = "Deployment kube-system/coredns".to_owned();
        assert_eq!(after.remove("config-dns"), Some(vec![deployment.clone()]));
        let mut expected = before.clone();
        expected
            .get_mut("coredns")
            .unwrap()
            .retain(|it| *it != deployment);
        assert_ne!(before, expected);
        assert_eq!(after, expected);
    }
}
