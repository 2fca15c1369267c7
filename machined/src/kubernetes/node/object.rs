//! A `Node` of Kubernetes, as far as this node cares. Pure.

use resources::kubernetes::NodeStatus;
use resources::net::Cidr;
use serde_json::Value;

/// What an object says.
#[must_use]
pub fn read(object: &Value) -> NodeStatus {
    let list = |pointer: &str| object.pointer(pointer).and_then(Value::as_array);
    let ranges = list("/spec/podCIDRs");
    let ranges = ranges.into_iter().flatten().filter_map(Value::as_str);
    let pod_ranges: Vec<Cidr> = ranges.filter_map(|it| it.parse().ok()).collect();
    let text =
        |value: &'_ Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut conditions = list("/status/conditions").into_iter().flatten();
    let ready = conditions.find(|it| text(it, "type").as_deref() == Some("Ready"));
    let Some(ready) = ready else {
        return NodeStatus {
            ready: false,
            reason: "its kubelet has not said yet how it is".to_owned(),
            pod_ranges,
        };
    };
    let is = text(ready, "status").as_deref() == Some("True");
    let message = text(ready, "message").unwrap_or_else(|| "no reason is given".to_owned());
    NodeStatus {
        ready: is,
        reason: if is { String::new() } else { message },
        pod_ranges,
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
                "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24", "fd00::/64"]},
                "status": {"conditions": [
                    {"type": "MemoryPressure", "status": "False", "message": "enough"},
                    {"type": "Ready", "status": status, "message": "the network is not ready"},
                ]},
            })
        };
        let ready = read(&object("True"));
        assert!(ready.ready && ready.reason.is_empty());
        assert_eq!(ready.pod_ranges.len(), 2);
        for status in ["False", "Unknown"] {
            let unready = read(&object(status));
            assert!(!unready.ready);
            assert_eq!(unready.reason, "the network is not ready");
        }
        assert!(!read(&json!({})).ready);
    }
}
