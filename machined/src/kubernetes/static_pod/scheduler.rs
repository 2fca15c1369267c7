//! What chooses nodes for pods.

use super::Facts;
use super::pod::{Health, Pod};
use crate::kubernetes::component::Component;

/// Where it answers for its health, and nothing else: on this node alone.
const PORT: u16 = 10259;

/// The pod.
pub(super) fn pod(_: &Facts<'_>) -> Pod {
    let file = |name| Component::Scheduler.file(name);
    let flags = [
        ("bind-address", "127.0.0.1".to_owned()),
        ("secure-port", PORT.to_string()),
        ("kubeconfig", file("kubeconfig")),
        ("authentication-kubeconfig", file("kubeconfig")),
        ("authorization-kubeconfig", file("kubeconfig")),
        ("leader-elect", "true".to_owned()),
        ("profiling", "false".to_owned()),
    ];
    Pod {
        component: Component::Scheduler,
        flags: flags
            .map(|(flag, value)| format!("--{flag}={value}"))
            .into(),
        writes: Vec::new(),
        health: Health {
            host: "127.0.0.1",
            port: PORT,
            alive: "/livez",
            ready: "/readyz",
        },
        milli_cpu: 50,
        memory: 64,
    }
}
