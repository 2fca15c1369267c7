//! What a cluster begins with: who may do what, the proxy of services, the name server, and what the config adds.
//!
//! Every object is created once in the life of a cluster. Whoever changes or deletes one afterwards has the last word: nothing
//! here brings it back.

mod access;
pub mod apply;
pub mod config;
mod dns;
pub mod fetch;
mod kinds;
mod object;
mod once;
mod pace;
mod proxy;
pub mod status;

use resources::kubernetes::{KubernetesSpec, PodNetwork};
use serde_json::Value;

/// The namespace of everything that is the cluster's own.
const NAMESPACE: &str = "kube-system";

/// The id of a manifest of the config. Those of the cluster's own never begin so.
fn id(name: &::config::DocumentName) -> String {
    format!("config-{name}")
}

/// What a cluster is given by every node of its control plane, by the names of the manifests. Pure.
#[must_use]
pub fn own(cluster: &KubernetesSpec) -> Vec<(&'static str, Vec<Value>)> {
    let mut own = vec![("access", access::objects())];
    // Networks that people bring along often have a proxy of their own.
    if cluster.network == PodNetwork::Builtin {
        own.push(("kube-proxy", proxy::objects(cluster)));
    }
    own.push(("coredns", dns::objects(cluster)));
    own
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::object::Object;
    use super::*;

    fn cluster() -> KubernetesSpec {
        KubernetesSpec {
            version: "1.37.1".to_owned(),
            pod_ranges: vec!["10.244.0.0/16".parse().unwrap()],
            dns_domain: "cluster.local".to_owned(),
            dns_addresses: vec!["10.96.0.10".to_owned(), "fd00:2::a".to_owned()],
            ..KubernetesSpec::default()
        }
    }

    fn objects(cluster: &KubernetesSpec) -> Vec<Object> {
        let all = own(cluster).into_iter().flat_map(|(_, objects)| objects);
        all.map(|it| Object::new(it).unwrap()).collect()
    }

    #[test]
    fn every_object_is_another_one() {
        let objects = objects(&cluster());
        let keys: BTreeSet<_> = objects.iter().map(Object::key).collect();
        assert_eq!(keys.len(), objects.len());
    }

    #[test]
    fn who_brings_a_network_brings_its_proxy() {
        let has_proxy = |network| {
            let cluster = KubernetesSpec {
                network,
                ..cluster()
            };
            let mut texts = objects(&cluster).into_iter().map(|it| it.to_string());
            texts.any(|it| it == "DaemonSet kube-system/kube-proxy")
        };
        assert!(has_proxy(PodNetwork::Builtin));
        assert!(!has_proxy(PodNetwork::None));
    }

    #[test]
    fn pods_run_with_as_little_as_they_need() {
        for object in objects(&cluster()) {
            let Some(pod) = object.value().pointer("/spec/template/spec") else {
                continue;
            };
            let security = pod.pointer("/containers/0/securityContext").unwrap();
            assert_eq!(security["readOnlyRootFilesystem"], true, "{object}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{object}");
            assert_eq!(security["capabilities"]["drop"][0], "ALL", "{object}");
            let profile = pod.pointer("/securityContext/seccompProfile/type");
            assert_eq!(profile.unwrap(), "RuntimeDefault", "{object}");
        }
    }

    #[test]
    fn every_account_that_a_pod_has_is_there() {
        let objects = objects(&cluster());
        let names: BTreeSet<_> = objects.iter().map(ToString::to_string).collect();
        for object in &objects {
            let Some(account) = object
                .value()
                .pointer("/spec/template/spec/serviceAccountName")
            else {
                continue;
            };
            let wanted = format!("ServiceAccount {NAMESPACE}/{}", account.as_str().unwrap());
            assert!(names.contains(&wanted), "{wanted}");
        }
    }
}
