//! CoreDNS, which knows services and pods by their names. Pure.

use std::net::IpAddr;

use resources::kubernetes::KubernetesSpec;
use resources::net::Cidr;
use serde_json::{Value, json};

use super::NAMESPACE;
use super::access::{account, binding, holder};
use crate::kubernetes::image;

const NAME: &str = "coredns";

/// The label that everybody knows the cluster's name server by, and the name of its service: from before CoreDNS.
const LABEL: &str = "kube-dns";

/// Who it runs as: nobody, by the number that images have it by.
const NOBODY: u32 = 65534;

/// The objects.
pub(super) fn objects(cluster: &KubernetesSpec) -> Vec<Value> {
    vec![
        account(NAME),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "garboard:coredns"},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["services", "pods", "namespaces"],
                    "verbs": ["list", "watch"],
                },
                {
                    "apiGroups": ["discovery.k8s.io"],
                    "resources": ["endpointslices"],
                    "verbs": ["list", "watch"],
                },
            ],
        }),
        binding("garboard:coredns", "garboard:coredns", &holder(NAME)),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "data": {"Corefile": corefile(&cluster.dns_domain)},
        }),
        service(cluster),
        deployment(cluster),
    ]
}

/// What it answers, and whom it asks for everything else: the servers of the node that it runs on.
fn corefile(domain: &str) -> String {
    format!(
        ".:53 {{
    errors
    health {{
        lameduck 5s
    }}
    ready
    kubernetes {domain} in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
        max_concurrent 1000
    }}
    cache 30 {{
        disable success {domain}
        disable denial {domain}
    }}
    loop
    reload
    loadbalance
}}
"
    )
}

fn service(cluster: &KubernetesSpec) -> Value {
    let port = |name: &str, protocol: &str, number: u16| json!({"name": name, "protocol": protocol, "port": number, "targetPort": number});
    // One of each family, in the order of the ranges.
    let family = |range: &Cidr| match range.address() {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    };
    let families: Vec<_> = cluster.service_ranges.iter().map(family).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": LABEL,
            "namespace": NAMESPACE,
            "labels": {
                "k8s-app": LABEL,
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
            "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
        },
        "spec": {
            "selector": {"k8s-app": LABEL},
            "clusterIP": cluster.dns_addresses.first(),
            "clusterIPs": cluster.dns_addresses,
            "ipFamilies": families,
            "ipFamilyPolicy": if families.len() > 1 { "RequireDualStack" } else { "SingleStack" },
            "ports": [
                port("dns", "UDP", 53),
                port("dns-tcp", "TCP", 53),
                port("metrics", "TCP", 9153),
            ],
        },
    })
}

fn deployment(cluster: &KubernetesSpec) -> Value {
    let labels = json!({"k8s-app": LABEL});
    let apart = json!({
        "weight": 100,
        "podAffinityTerm": {
            "labelSelector": {"matchLabels": labels},
            "topologyKey": "kubernetes.io/hostname",
        },
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-cluster-critical",
                    "serviceAccountName": NAME,
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    // A cluster may be of control planes alone.
                    "tolerations": [{
                        "key": "node-role.kubernetes.io/control-plane",
                        "operator": "Exists",
                        "effect": "NoSchedule",
                    }],
                    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}},
                    "securityContext": {
                        "runAsUser": NOBODY,
                        "runAsGroup": NOBODY,
                        "runAsNonRoot": true,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    // It is what the others ask.
                    "dnsPolicy": "Default",
                    "containers": [container(cluster)],
                    "volumes": [{"name": "settings", "configMap": {"name": NAME}}],
                },
            },
        },
    })
}

fn container(cluster: &KubernetesSpec) -> Value {
    let port = |name: &str, protocol: &str, number: u16| json!({"name": name, "protocol": protocol, "containerPort": number});
    json!({
        "name": NAME,
        "image": image::name_server(cluster.images),
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {
            "requests": {"cpu": "50m", "memory": "48Mi"},
            "limits": {"memory": "170Mi"},
        },
        "ports": [
            port("dns", "UDP", 53),
            port("dns-tcp", "TCP", 53),
            port("metrics", "TCP", 9153),
        ],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            // The port of DNS is below 1024, and that of a pod is free for whoever runs it.
            "capabilities": {"drop": ["ALL"]},
        },
        "startupProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "periodSeconds": 2,
            "failureThreshold": 90,
        },
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "timeoutSeconds": 5,
            "failureThreshold": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 5},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/coredns", "readOnly": true}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_server_has_an_address_of_each_family_of_services() {
        let cluster = KubernetesSpec {
            service_ranges: ["10.96.0.0/12", "fd00:2::/112"]
                .map(|it| it.parse().unwrap())
                .into(),
            dns_addresses: vec!["10.96.0.10".to_owned(), "fd00:2::a".to_owned()],
            ..KubernetesSpec::default()
        };
        let spec = &service(&cluster)["spec"];
        assert_eq!(spec["clusterIP"], "10.96.0.10");
        assert_eq!(spec["ipFamilies"], json!(["IPv4", "IPv6"]));
        assert_eq!(spec["ipFamilyPolicy"], "RequireDualStack");
    }

    #[test]
    fn names_are_in_the_clusters_own_domain() {
        let text = corefile("k8s.example.org");
        assert!(
            text.contains("kubernetes k8s.example.org in-addr.arpa"),
            "{text}"
        );
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
