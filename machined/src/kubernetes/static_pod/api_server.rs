//! The API server.

use super::pod::{Health, Pod};
use super::{API_PORT, Facts, ranges};
use crate::kubernetes::component::Component;

/// Where it writes down who asked it for what. Below the node's logs, so that support bundles and people find it.
pub const AUDIT: &str = "/var/log/kube-apiserver";

/// The pod.
pub(super) fn pod(facts: &Facts<'_>) -> Pod {
    let file = |name| Component::ApiServer.file(name);
    let cluster = facts.cluster;
    let flags = [
        ("advertise-address", facts.address.to_string()),
        ("secure-port", API_PORT.to_string()),
        ("tls-cert-file", file("serving.pem")),
        ("tls-private-key-file", file("serving.pem")),
        ("tls-min-version", "VersionTLS13".to_owned()),
        ("etcd-servers", "https://127.0.0.1:2379".to_owned()),
        ("etcd-cafile", file("etcd-ca.crt")),
        ("etcd-certfile", file("etcd-client.pem")),
        ("etcd-keyfile", file("etcd-client.pem")),
        ("encryption-provider-config", file("encryption.json")),
        ("client-ca-file", file("ca.crt")),
        // Who nobody is may ask whether it is well, and nothing else.
        ("authentication-config", file("authentication.json")),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("kubelet-certificate-authority", file("ca.crt")),
        ("kubelet-client-certificate", file("kubelet-client.pem")),
        ("kubelet-client-key", file("kubelet-client.pem")),
        (
            "kubelet-preferred-address-types",
            "InternalIP,Hostname".to_owned(),
        ),
        ("requestheader-client-ca-file", file("front-proxy-ca.crt")),
        (
            "requestheader-allowed-names",
            "front-proxy-client".to_owned(),
        ),
        ("requestheader-username-headers", "X-Remote-User".to_owned()),
        ("requestheader-group-headers", "X-Remote-Group".to_owned()),
        (
            "requestheader-extra-headers-prefix",
            "X-Remote-Extra-".to_owned(),
        ),
        ("proxy-client-cert-file", file("front-proxy-client.pem")),
        ("proxy-client-key-file", file("front-proxy-client.pem")),
        ("service-account-issuer", cluster.endpoint.clone()),
        // The public part of it is all that this one needs.
        ("service-account-key-file", file("service-account.key")),
        (
            "service-account-signing-key-file",
            file("service-account.key"),
        ),
        ("service-cluster-ip-range", ranges(&cluster.service_ranges)),
        ("audit-policy-file", file("audit-policy.json")),
        ("audit-log-path", format!("{AUDIT}/audit.log")),
        // Megabytes, files and days.
        ("audit-log-maxsize", "50".to_owned()),
        ("audit-log-maxbackup", "5".to_owned()),
        ("audit-log-maxage", "30".to_owned()),
        ("profiling", "false".to_owned()),
    ];
    Pod {
        component: Component::ApiServer,
        flags: flags
            .map(|(flag, value)| format!("--{flag}={value}"))
            .into(),
        writes: vec![AUDIT],
        health: Health {
            host: "127.0.0.1",
            port: API_PORT,
            alive: "/livez",
            ready: "/readyz",
        },
        milli_cpu: 200,
        memory: 512,
    }
}
