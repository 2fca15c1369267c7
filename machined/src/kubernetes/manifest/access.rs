//! Who of the cluster's own may do what, beyond what Kubernetes itself begins with. Pure.

use pki::kubernetes::KUBELET_ADMINS;
use serde_json::{Value, json};

/// The group that every kubelet is in.
const NODES: &str = "system:nodes";

/// What lets nodes know each other: their routes to pods, and whom a command for another node is passed on to.
const READER: &str = "garboard:node-reader";

/// The objects.
pub(super) fn objects() -> Vec<Value> {
    vec![
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": READER},
            // Kubelets may read their own node alone.
            "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}],
        }),
        binding(READER, READER, &group(NODES)),
        // API servers ask kubelets for logs, and for what `kubectl exec` and `port-forward` need.
        binding(
            KUBELET_ADMINS,
            "system:kubelet-api-admin",
            &group(KUBELET_ADMINS),
        ),
    ]
}

fn group(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name})
}

/// An account of the cluster's own.
pub(super) fn account(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": super::NAMESPACE},
    })
}

/// That account as the one who is given a role.
pub(super) fn holder(account: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": account, "namespace": super::NAMESPACE})
}

/// Gives somebody a role.
pub(super) fn binding(name: &str, role: &str, holder: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [holder],
    })
}
