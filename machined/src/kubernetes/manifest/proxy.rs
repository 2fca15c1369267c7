//! kube-proxy, which leads services to pods on every node. Pure.

use resources::kubernetes::KubernetesSpec;
use serde_json::{Value, json};

use super::NAMESPACE;
use super::access::{account, binding, holder};
use crate::kubernetes::{balancer, image};

const NAME: &str = "kube-proxy";

/// Where its settings lie in its container.
const FOLDER: &str = "/var/lib/kube-proxy";

/// Where a pod finds its token and whom it believes.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The objects.
pub(super) fn objects(cluster: &KubernetesSpec) -> Vec<Value> {
    vec![
        account(NAME),
        binding("garboard:kube-proxy", "system:node-proxier", &holder(NAME)),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"k8s-app": NAME}},
            "data": {
                "config.json": format!("{:#}\n", settings(cluster)),
                "kubeconfig.json": format!("{:#}\n", kubeconfig()),
            },
        }),
        daemon_set(cluster),
    ]
}

/// Its settings: JSON is YAML to it.
fn settings(cluster: &KubernetesSpec) -> Value {
    let ranges: Vec<_> = cluster.pod_ranges.iter().map(ToString::to_string).collect();
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": ranges.join(","),
        "clientConnection": {"kubeconfig": format!("{FOLDER}/kubeconfig.json")},
        // The kernel's own limits hold, or those of a `Sysctl`: it would need to write to /proc/sys for others.
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s",
            "udpStreamTimeout": "0s",
        },
        // On the node alone: neither asks for a certificate.
        "metricsBindAddress": "127.0.0.1:10249",
        "logging": {"format": "json"},
    })
}

fn kubeconfig() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "own",
            // The address of the API within the cluster is what it has yet to make.
            "cluster": {"server": balancer::url(), "certificate-authority": format!("{ACCOUNT}/ca.crt")},
        }],
        "users": [{"name": NAME, "user": {"tokenFile": format!("{ACCOUNT}/token")}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": NAME}}],
        "current-context": "own",
    })
}

fn daemon_set(cluster: &KubernetesSpec) -> Value {
    let labels = json!({"k8s-app": NAME});
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostNetwork": true,
                    "priorityClassName": "system-node-critical",
                    "serviceAccountName": NAME,
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    // Whatever a node is kept free of, services are for all that is on it.
                    "tolerations": [{"operator": "Exists"}],
                    "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [container(cluster)],
                    "volumes": [{"name": "settings", "configMap": {"name": NAME}}],
                },
            },
        },
    })
}

fn container(cluster: &KubernetesSpec) -> Value {
    json!({
        "name": NAME,
        "image": image::proxy(&cluster.version, cluster.images),
        "command": [
            NAME,
            format!("--config={FOLDER}/config.json"),
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": {"requests": {"cpu": "50m", "memory": "48Mi"}},
        "securityContext": {
            // Capabilities are those of root alone, and of them it has one.
            "runAsUser": 0,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
        "volumeMounts": [{"name": "settings", "mountPath": FOLDER, "readOnly": true}],
    })
}
