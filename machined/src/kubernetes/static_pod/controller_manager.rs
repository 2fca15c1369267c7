//! The controllers of Kubernetes.

use super::pod::{Health, Pod};
use super::ready::API_SERVER;
use super::{Facts, ranges};
use crate::kubernetes::component::Component;
use crate::kubernetes::flags;

/// Where it answers for its health, and nothing else: on this node alone.
const PORT: u16 = 10257;

/// The pod.
pub(super) fn pod(facts: &Facts<'_>) -> Pod {
    let file = |name| Component::ControllerManager.file(name);
    let cluster = facts.cluster;
    let mut told = flags::of_a_client(&file("kubeconfig"), PORT, facts.election);
    told.extend([
        ("use-service-account-credentials", "true".to_owned()),
        // It alone gives out ranges of pods, whoever makes networks of them.
        ("allocate-node-cidrs", "true".to_owned()),
        ("cluster-cidr", ranges(&cluster.pod_ranges)),
        ("service-cluster-ip-range", ranges(&cluster.service_ranges)),
        ("root-ca-file", file("ca.crt")),
        ("cluster-signing-cert-file", file("issuer.pem")),
        ("cluster-signing-key-file", file("issuer.pem")),
        (
            "service-account-private-key-file",
            file("service-account.key"),
        ),
    ]);
    Pod {
        component: Component::ControllerManager,
        flags: told,
        writes: Vec::new(),
        health: Health {
            host: flags::LOCAL,
            port: PORT,
            alive: "/healthz",
            ready: "/healthz",
        },
        // It ends when the API server is not ready ten seconds after its start, and would be started in vain until then.
        condition: API_SERVER,
        milli_cpu: 50,
        memory: 128,
    }
}
