//! What a cluster runs of its own: which image each has, which it is to have, and whether it runs by that. Pure.
//!
//! kube-proxy and the name server were created once and are the cluster's since: only one that still has an image such as a node gives
//! is touched, and of that only the image.

use ::api::v1alpha1::Workload;
use ::config::KubernetesVersion;
use resources::kubernetes::{ImageSource, KubernetesSpec, PodNetwork};
use serde_json::{Value, json};

use crate::kubernetes::component::Component;
use crate::kubernetes::image;

/// The namespace of all of them.
const NAMESPACE: &str = "kube-system";

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A pod that the node runs by itself.
    Pod,
    /// A pod on every node.
    DaemonSet,
    /// Some pods.
    Deployment,
}

/// An object, and the image that is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    kind: Kind,
    name: String,
    /// The name of its container.
    container: &'static str,
    /// The images that nodes give it: as its config has it, and as another `images` would.
    images: Vec<String>,
}

/// What becomes of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// It is to be this one.
    Be(String),
    /// It is left, and why.
    Left(String),
}

/// All objects, as a node of the control plane with this name knows them.
pub(super) fn all(cluster: &KubernetesSpec, node: &str, version: KubernetesVersion) -> Vec<Wanted> {
    let version = version.to_string();
    let plane = [
        Component::ApiServer,
        Component::ControllerManager,
        Component::Scheduler,
    ];
    let mut all: Vec<_> = plane
        .into_iter()
        .map(|it| Wanted {
            kind: Kind::Pod,
            // The kubelet's name for what is read from its folder.
            name: format!("{}-{node}", it.name()),
            container: it.name(),
            images: vec![image::reference(it, &version, cluster.images)],
        })
        .collect();
    let either = |reference: &dyn Fn(ImageSource) -> String| {
        [ImageSource::Bundle, ImageSource::Upstream]
            .map(reference)
            .into()
    };
    if cluster.network == PodNetwork::Builtin {
        all.push(Wanted {
            kind: Kind::DaemonSet,
            name: "kube-proxy".to_owned(),
            container: "kube-proxy",
            images: either(&|source| image::proxy(&version, source)),
        });
    }
    all.push(Wanted {
        kind: Kind::Deployment,
        name: "coredns".to_owned(),
        container: "coredns",
        images: either(&image::name_server),
    });
    all
}

/// A reference without its tag, and the tag; nothing of one that is pinned otherwise.
fn split(reference: &str) -> Option<(&str, &str)> {
    let (repository, tag) = reference.rsplit_once(':')?;
    (!reference.contains('@') && !tag.contains('/')).then_some((repository, tag))
}

/// The numbers of a tag, which sort as its versions do; nothing of one that is none.
fn numbers(tag: &str) -> Option<Vec<u32>> {
    let numbers = tag.strip_prefix('v').unwrap_or(tag).split('.');
    numbers.map(|it| it.parse().ok()).collect()
}

impl Wanted {
    /// What it is.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// As people name it.
    pub(super) fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Pod => "Pod",
            Kind::DaemonSet => "DaemonSet",
            Kind::Deployment => "Deployment",
        };
        format!("{kind} {NAMESPACE}/{}", self.name)
    }

    /// Where the API has it.
    pub(super) fn path(&self) -> String {
        let (group, plural) = match self.kind {
            Kind::Pod => ("api/v1", "pods"),
            Kind::DaemonSet => ("apis/apps/v1", "daemonsets"),
            Kind::Deployment => ("apis/apps/v1", "deployments"),
        };
        format!("/{group}/namespaces/{NAMESPACE}/{plural}/{}", self.name)
    }

    /// The image that it has.
    fn image<'a>(&self, object: &'a Value) -> Option<&'a str> {
        let containers = match self.kind {
            Kind::Pod => "/spec/containers",
            Kind::DaemonSet | Kind::Deployment => "/spec/template/spec/containers",
        };
        let containers = object.pointer(containers)?.as_array()?;
        let own = |it: &&Value| it.get("name").and_then(Value::as_str) == Some(self.container);
        containers.iter().find(own)?.get("image")?.as_str()
    }

    fn choice(&self, object: &Value) -> Choice {
        let left = |why: &str| Choice::Left(why.to_owned());
        if let (Kind::Pod, [image]) = (self.kind, self.images.as_slice()) {
            // It is the node's own, and between two of it there is none for a moment.
            return Choice::Be(image.clone());
        }
        let Some(has) = self.image(object) else {
            return if object.is_null() {
                left("there is none: somebody took it away, or it was not created yet")
            } else {
                left("it has no container of this name: somebody changed it")
            };
        };
        let Some((repository, tag)) = split(has) else {
            return left("somebody gave it this image");
        };
        let same = |it: &&String| split(it).is_some_and(|(of, _)| of == repository);
        let Some(ours) = self.images.iter().find(same) else {
            return left("somebody gave it this image");
        };
        let newest = split(ours).and_then(|(_, tag)| numbers(tag));
        match (self.kind, numbers(tag)) {
            (_, None) => left("somebody gave it this image"),
            // Its version is not the cluster's: somebody was ahead of this build.
            (Kind::Deployment, has) if has > newest => left("it is newer than what this node has"),
            _ => Choice::Be(ours.clone()),
        }
    }

    /// What gives it the image that it is to have, if it has another one: only of the object that was looked at.
    pub(super) fn patch(&self, object: &Value) -> Option<Value> {
        let Choice::Be(image) = self.choice(object) else {
            return None;
        };
        if self.image(object) == Some(&image) {
            return None;
        }
        let version = object.pointer("/metadata/resourceVersion")?;
        Some(json!({
            "metadata": {"resourceVersion": version},
            "spec": {"template": {"spec": {"containers": [
                {"name": self.container, "image": image},
            ]}}},
        }))
    }

    /// As callers are told of it.
    pub(super) fn shown(&self, object: &Value) -> Workload {
        let (wanted, left) = match self.choice(object) {
            Choice::Be(image) => (image, String::new()),
            Choice::Left(why) => (String::new(), why),
        };
        let waits = match self.kind {
            _ if object.is_null() => None,
            Kind::Pod => waits_of_pod(object),
            Kind::DaemonSet => waits(
                object,
                "/status/desiredNumberScheduled",
                "/status/updatedNumberScheduled",
                "/status/numberAvailable",
            ),
            Kind::Deployment => waits(
                object,
                "/spec/replicas",
                "/status/updatedReplicas",
                "/status/availableReplicas",
            ),
        };
        Workload {
            name: self.name(),
            image: self.image(object).unwrap_or_default().to_owned(),
            wanted,
            left,
            waits: waits.unwrap_or_default(),
        }
    }
}

fn waits_of_pod(object: &Value) -> Option<String> {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().any(|it| {
        it.get("type").and_then(Value::as_str) == Some("Ready")
            && it.get("status").and_then(Value::as_str) == Some("True")
    });
    (!ready).then(|| "it is not ready".to_owned())
}

/// What is missing until as many pods as there are to be are of the newest kind, and take requests.
fn waits(object: &Value, all: &str, updated: &str, available: &str) -> Option<String> {
    let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    if count("/status/observedGeneration") < count("/metadata/generation") {
        return Some("the controller manager has not seen it yet".to_owned());
    }
    let all = count(all);
    for (pointer, what) in [(updated, "are of it"), (available, "are available")] {
        if count(pointer) < all {
            return Some(format!("{} of {all} pods {what}", count(pointer)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: Kind) -> Wanted {
        let cluster = KubernetesSpec::default();
        let all = all(&cluster, "cp-1", "1.37.1".parse().unwrap());
        all.into_iter().find(|it| it.kind == kind).unwrap()
    }

    fn object(container: &str, image: &str) -> Value {
        json!({
            "metadata": {"resourceVersion": "7", "generation": 2},
            "spec": {
                "replicas": 2,
                "template": {"spec": {"containers": [
                    {"name": "beside", "image": "example.org/beside:1"},
                    {"name": container, "image": image},
                ]}},
            },
        })
    }

    #[test]
    fn what_a_node_created_follows_and_keeps_its_registry() {
        let proxy = wanted(Kind::DaemonSet);
        assert_eq!(proxy.name(), "DaemonSet kube-system/kube-proxy");
        assert_eq!(
            proxy.path(),
            "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
        );
        for registry in ["garboard.internal", "registry.k8s.io"] {
            let old = object("kube-proxy", &format!("{registry}/kube-proxy:v1.36.3"));
            let patch = proxy.patch(&old).unwrap();
            let new = format!("{registry}/kube-proxy:v1.37.1");
            assert_eq!(patch["metadata"]["resourceVersion"], "7");
            let containers = &patch["spec"]["template"]["spec"]["containers"];
            assert_eq!(*containers, json!([{"name": "kube-proxy", "image": new}]));
            assert_eq!(proxy.patch(&object("kube-proxy", &new)), None);
            assert_eq!(proxy.shown(&old).wanted, new);
        }
    }

    #[test]
    fn what_somebody_changed_is_left_and_told() {
        let proxy = wanted(Kind::DaemonSet);
        for image in [
            "example.org/kube-proxy:v1.36.3",
            "garboard.internal/kube-proxy:v1.36.3-patched",
            "garboard.internal/kube-proxy@sha256:00",
            "garboard.internal:5000/kube-proxy",
        ] {
            let changed = object("kube-proxy", image);
            assert_eq!(proxy.patch(&changed), None, "{image}");
            let shown = proxy.shown(&changed);
            assert!(shown.wanted.is_empty(), "{image}");
            assert_eq!(
                (&*shown.left, &*shown.image),
                ("somebody gave it this image", image)
            );
        }
        let renamed = object("proxy", "garboard.internal/kube-proxy:v1.36.3");
        assert!(proxy.shown(&renamed).left.contains("no container"));
        let none = proxy.shown(&Value::Null);
        assert!(none.left.starts_with("there is none") && none.waits.is_empty());
    }

    #[test]
    fn a_name_server_never_becomes_an_older_one() {
        let dns = wanted(Kind::Deployment);
        let at = |version: &str| object("coredns", &format!("garboard.internal/coredns:{version}"));
        assert!(dns.patch(&at("v1.2.0")).is_some());
        assert_eq!(dns.patch(&at("v99.0.0")), None);
        assert!(dns.shown(&at("v99.0.0")).left.contains("newer"));
    }

    #[test]
    fn it_is_rolled_out_when_all_pods_are_new_and_take_requests() {
        let dns = wanted(Kind::Deployment);
        let mut object = object("coredns", "garboard.internal/coredns:v1.2.0");
        let mut waits = |status: Value| {
            object["status"] = status;
            dns.shown(&object).waits
        };
        assert!(waits(json!({"observedGeneration": 1})).contains("not seen it yet"));
        let counts = |updated, available| json!({"observedGeneration": 2, "updatedReplicas": updated, "availableReplicas": available});
        assert_eq!(waits(counts(1, 2)), "1 of 2 pods are of it");
        assert_eq!(waits(counts(2, 1)), "1 of 2 pods are available");
        assert_eq!(waits(counts(2, 2)), "");
    }

    #[test]
    fn a_pod_of_the_control_plane_is_the_nodes_own() {
        let pod = wanted(Kind::Pod);
        assert_eq!(
            pod.path(),
            "/api/v1/namespaces/kube-system/pods/kube-apiserver-cp-1"
        );
        let object = |ready: &str| {
            json!({
                "spec": {"containers": [{"name": "kube-apiserver", "image": "garboard.internal/kube-apiserver:v1.37.1"}]},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            })
        };
        let shown = pod.shown(&object("True"));
        assert_eq!((&shown.image, &*shown.waits), (&shown.wanted, ""));
        assert_eq!(pod.shown(&object("False")).waits, "it is not ready");
        let between = pod.shown(&Value::Null);
        assert!(between.image.is_empty() && !between.wanted.is_empty());
    }
}
