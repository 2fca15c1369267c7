//! A `Node` of Kubernetes, as far as this node cares. Pure.

use resources::kubernetes::{KubeletSpec, NodeStatus};
use resources::net::Cidr;
use serde_json::{Map, Value, json};

/// The label of nodes of the control plane, as kubeadm and kubectl know it.
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// What an object says.
#[must_use]
pub fn read(object: &Value) -> NodeStatus {
    let list = |pointer: &str| object.pointer(pointer).and_then(Value::as_array);
    let ranges = list("/spec/podCIDRs");
    let ranges = ranges.into_iter().flatten().filter_map(Value::as_str);
    let pod_ranges: Vec<Cidr> = ranges.filter_map(|it| it.parse().ok()).collect();
    let text =
        |value: &'_ Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let addresses = list("/status/addresses").into_iter().flatten();
    let own = addresses.filter(|it| text(it, "type").as_deref() == Some("InternalIP"));
    let label = |key| {
        object
            .pointer("/metadata/labels")
            .and_then(|it| it.get(key))
    };
    let unschedulable = object.pointer("/spec/unschedulable");
    let status = NodeStatus {
        ready: false,
        reason: "its kubelet has not said yet how it is".to_owned(),
        pod_ranges,
        addresses: own.filter_map(|it| text(it, "address")).collect(),
        control_plane: label(CONTROL_PLANE).is_some(),
        kubelet_version: object
            .pointer("/status/nodeInfo/kubeletVersion")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        schedulable: unschedulable.and_then(Value::as_bool) != Some(true),
    };
    let mut conditions = list("/status/conditions").into_iter().flatten();
    let ready = conditions.find(|it| text(it, "type").as_deref() == Some("Ready"));
    let Some(ready) = ready else {
        return status;
    };
    let is = text(ready, "status").as_deref() == Some("True");
    let message = text(ready, "message").unwrap_or_else(|| "no reason is given".to_owned());
    NodeStatus {
        ready: is,
        reason: if is { String::new() } else { message },
        ..status
    }
}

/// What has to be changed in an object so that it has these labels and annotations, each `KEY=VALUE`, as a merge patch; `None`
/// when it has them. What others gave it stays, and so does what the config had before.
#[must_use]
pub fn patch(object: &Value, node: &KubeletSpec) -> Option<Value> {
    let lacking = |kind: &str, wanted: &[String]| {
        let has = object.pointer(&format!("/metadata/{kind}"));
        let pairs = wanted.iter().filter_map(|it| it.split_once('='));
        let lacking = pairs.filter(|(key, value)| {
            let now = has.and_then(|it| it.get(*key)).and_then(Value::as_str);
            now != Some(*value)
        });
        let lacking: Map<_, _> = lacking
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        (kind.to_owned(), Value::Object(lacking))
    };
    let metadata: Map<_, _> = [
        lacking("labels", &node.labels),
        lacking("annotations", &node.annotations),
    ]
    .into_iter()
    .filter(|(_, lacking)| lacking.as_object().is_some_and(|it| !it.is_empty()))
    .collect();
    (!metadata.is_empty()).then(|| json!({"metadata": metadata}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_annotations_of_the_config_are_put_on_and_others_stay() {
        let node = KubeletSpec {
            labels: vec!["a=1".to_owned(), "b=2".to_owned()],
            annotations: vec!["contact=x=y".to_owned()],
            ..KubeletSpec::default()
        };
        let object = json!({"metadata": {"labels": {"a": "1", "b": "0", "c": "3"}}});
        let patch = super::patch(&object, &node).expect("something is lacking");
        let wanted = json!({"metadata": {"labels": {"b": "2"}, "annotations": {"contact": "x=y"}}});
        assert_eq!(patch, wanted);
        let whole = json!({"metadata": {"labels": {"a": "1", "b": "2"}, "annotations": {"contact": "x=y"}}});
        assert_eq!(super::patch(&whole, &node), None);
    }

    #[test]
    fn a_node_says_how_it_is() {
        let object = |status: &str| {
            json!({
                "metadata": {"labels": {CONTROL_PLANE: ""}},
                "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24", "fd00::/64"], "unschedulable": true},
                "status": {
                    "conditions": [
                        {"type": "MemoryPressure", "status": "False", "message": "enough"},
                        {"type": "Ready", "status": status, "message": "the network is not ready"},
                    ],
                    "addresses": [
                        {"type": "InternalIP", "address": "10.5.0.2"},
                        {"type": "Hostname", "address": "cp-1"},
                        {"type": "InternalIP", "address": "fd01::2"},
                    ],
                    "nodeInfo": {"kubeletVersion": "v1.37.1"},
                },
            })
        };
        let ready = read(&object("True"));
        assert!(ready.ready && ready.reason.is_empty());
        assert_eq!(ready.pod_ranges.len(), 2);
        assert_eq!(ready.addresses, ["10.5.0.2", "fd01::2"]);
        assert!(ready.control_plane && !ready.schedulable);
        assert_eq!(ready.kubelet_version, "v1.37.1");
        for status in ["False", "Unknown"] {
            let unready = read(&object(status));
            assert!(!unready.ready);
            assert_eq!(unready.reason, "the network is not ready");
        }
        let new = read(&json!({}));
        assert!(!new.ready && new.schedulable && !new.control_plane);
    }
}
