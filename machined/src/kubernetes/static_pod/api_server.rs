//! The API server.

use super::pod::{Health, Pod};
use super::{API_PORT, Facts, ranges};
use crate::kubernetes::component::Component;
use crate::kubernetes::flags::{Flag, LOCAL};
use crate::kubernetes::settings;

/// Where it writes down who asked it for what. Below the node's logs, so that support bundles and people find it.
pub const AUDIT: &str = "/var/log/kube-apiserver";

/// The pod.
pub(super) fn pod(facts: &Facts<'_>) -> Pod {
    let all = [
        serving(facts),
        storage(),
        callers(),
        admission(facts),
        proxied(),
        kubelets(),
        service_accounts(facts),
        audit(),
    ];
    Pod {
        component: Component::ApiServer,
        flags: all.into_iter().flatten().collect(),
        writes: vec![AUDIT],
        health: Health {
            host: LOCAL,
            port: API_PORT,
            alive: "/livez",
            ready: "/readyz",
        },
        condition: "",
        milli_cpu: 200,
        memory: 512,
    }
}

fn file(name: &str) -> String {
    Component::ApiServer.file(name)
}

/// Where it answers.
fn serving(facts: &Facts<'_>) -> Vec<Flag> {
    vec![
        ("advertise-address", facts.address.to_string()),
        ("secure-port", API_PORT.to_string()),
        ("tls-cert-file", file("serving.pem")),
        ("tls-private-key-file", file("serving.pem")),
        ("tls-min-version", "VersionTLS13".to_owned()),
        (
            "service-cluster-ip-range",
            ranges(&facts.cluster.service_ranges),
        ),
        ("allow-privileged", "true".to_owned()),
        ("profiling", "false".to_owned()),
    ]
}

/// Where it keeps what it knows: with the etcd beside it.
fn storage() -> Vec<Flag> {
    vec![
        ("etcd-servers", "https://127.0.0.1:2379".to_owned()),
        ("etcd-cafile", file("etcd-ca.crt")),
        ("etcd-certfile", file("etcd-client.pem")),
        ("etcd-keyfile", file("etcd-client.pem")),
        ("encryption-provider-config", file("encryption.json")),
    ]
}

/// Who may ask it.
fn callers() -> Vec<Flag> {
    vec![
        ("client-ca-file", file("ca.crt")),
        ("authentication-config", file("authentication.json")),
        ("authorization-mode", "Node,RBAC".to_owned()),
    ]
}

/// What has a say in what is admitted.
fn admission(facts: &Facts<'_>) -> Vec<Flag> {
    vec![
        (
            "enable-admission-plugins",
            settings::admission_plugins(facts.server),
        ),
        ("admission-control-config-file", file("admission.json")),
    ]
}

/// Servers that extend it, and how they know it again.
fn proxied() -> Vec<Flag> {
    vec![
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
    ]
}

/// How it asks kubelets.
fn kubelets() -> Vec<Flag> {
    vec![
        ("kubelet-certificate-authority", file("ca.crt")),
        ("kubelet-client-certificate", file("kubelet-client.pem")),
        ("kubelet-client-key", file("kubelet-client.pem")),
        (
            "kubelet-preferred-address-types",
            "InternalIP,Hostname".to_owned(),
        ),
    ]
}

/// The tokens that pods get.
fn service_accounts(facts: &Facts<'_>) -> Vec<Flag> {
    vec![
        ("service-account-issuer", facts.cluster.endpoint.clone()),
        ("service-account-key-file", file("service-account.pub")),
        (
            "service-account-signing-key-file",
            file("service-account.key"),
        ),
    ]
}

/// What is written down of calls: sizes in megabytes, ages in days.
fn audit() -> Vec<Flag> {
    vec![
        ("audit-policy-file", file("audit-policy.json")),
        ("audit-log-path", format!("{AUDIT}/audit.log")),
        ("audit-log-maxsize", "50".to_owned()),
        ("audit-log-maxbackup", "5".to_owned()),
        ("audit-log-maxage", "30".to_owned()),
    ]
}
