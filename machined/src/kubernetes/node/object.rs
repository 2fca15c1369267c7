//! A `Node` of Kubernetes, as far as nodes care. Pure.

use resources::kubernetes::NodeStatus;
use resources::net::Cidr;
use serde_json::Value;

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
