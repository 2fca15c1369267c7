//! Which pods are asked to go before the node ends, and how. Pure.
//!
//! As `kubectl drain` has it, but for two kinds that it refuses to touch without a flag:
//!
//! - A pod with an `emptyDir` goes like any other. Whoever ordered the end of the node has decided about its memory and disk, and a budget
//!   keeps what must not go.
//! - A pod without a controller stays, and ends with the node: nobody would make it again elsewhere, so evicting it gains nothing.

use serde_json::{Value, json};

/// The annotation of what the kubelet shows of pods that it has from files.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A pod that has to be gone before the node ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Tells it from one of the same name that came after it.
    pub(super) uid: String,
    /// Whether it was asked to end, by us or others.
    pub(super) ends: bool,
}

/// A pod on the node, if it has to go.
#[must_use]
pub(super) fn going(object: &Value) -> Option<Pod> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let annotations = object.pointer("/metadata/annotations");
    if annotations.is_some_and(|it| it.get(MIRROR).is_some()) {
        return None;
    }
    // What has run to its end is nobody's work any more, and may still be asked for its log.
    if matches!(text("/status/phase"), Some("Succeeded" | "Failed")) {
        return None;
    }
    let owners = object.pointer("/metadata/ownerReferences");
    let mut owners = owners.and_then(Value::as_array).into_iter().flatten();
    let controller = owners.find(|it| it.get("controller").and_then(Value::as_bool) == Some(true));
    // One that belongs to the node would be there again at once.
    if controller?.get("kind").and_then(Value::as_str) == Some("DaemonSet") {
        return None;
    }
    Some(Pod {
        namespace: text("/metadata/namespace")?.to_owned(),
        name: text("/metadata/name")?.to_owned(),
        uid: text("/metadata/uid").unwrap_or_default().to_owned(),
        ends: text("/metadata/deletionTimestamp").is_some(),
    })
}

impl Pod {
    /// As people call it.
    #[must_use]
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Where the eviction goes.
    #[must_use]
    pub(super) fn path(&self) -> String {
        let Self {
            namespace, name, ..
        } = self;
        format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction")
    }

    /// The eviction: of this very pod, with the time to end that it asks for itself.
    #[must_use]
    pub(super) fn eviction(&self) -> Value {
        json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": self.namespace, "name": self.name},
            "deleteOptions": {"preconditions": {"uid": self.uid}},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, more: Value) -> Value {
        let mut object = json!({
            "metadata": {
                "namespace": "default",
                "name": name,
                "uid": format!("uid-{name}"),
                "ownerReferences": [
                    {"kind": "Someone", "name": "else"},
                    {"kind": "ReplicaSet", "name": "web", "controller": true},
                ],
            },
            "status": {"phase": "Running"},
        });
        for (pointer, value) in more.as_object().unwrap() {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            object.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        object
    }

    #[test]
    fn only_what_somebody_makes_again_elsewhere_has_to_go() {
        let daemon = json!([{"kind": "DaemonSet", "name": "d", "controller": true}]);
        let nobodys = json!([{"kind": "ReplicaSet", "name": "web"}]);
        let pods = [
            object("web", json!({})),
            object("mirror", json!({"/metadata/annotations": {MIRROR: "x"}})),
            object("daemon", json!({"/metadata/ownerReferences": daemon})),
            object("bare", json!({"/metadata/ownerReferences": nobodys})),
            object("done", json!({"/status/phase": "Succeeded"})),
            object("broken", json!({"/status/phase": "Failed"})),
            object("new", json!({"/status/phase": "Pending"})),
            object(
                "gone",
                json!({"/metadata/deletionTimestamp": "2026-11-21T12:00:00Z"}),
            ),
        ];
        let going: Vec<_> = pods.iter().filter_map(going).collect();
        let names: Vec<_> = going.iter().map(|it| (it.id(), it.ends)).collect();
        let of = |name: &str, ends| (format!("default/{name}"), ends);
        assert_eq!(
            names,
            [of("web", false), of("new", false), of("gone", true)]
        );
    }

    #[test]
    fn an_eviction_is_of_the_pod_that_was_seen() {
        let web = going(&object("web", json!({}))).unwrap();
        assert_eq!(web.path(), "/api/v1/namespaces/default/pods/web/eviction");
        let eviction = web.eviction();
        assert_eq!(eviction["apiVersion"], "policy/v1");
        assert_eq!(eviction["deleteOptions"]["preconditions"]["uid"], "uid-web");
    }
}
