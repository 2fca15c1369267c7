//! What chooses nodes for pods.

use super::Facts;
use super::pod::{Health, Pod};
use crate::kubernetes::component::Component;
use crate::kubernetes::flags;

/// Where it answers for its health, and nothing else: on this node alone.
const PORT: u16 = 10259;

/// The pod.
pub(super) fn pod(facts: &Facts<'_>) -> Pod {
    let component = Component::Scheduler;
    Pod {
        component,
        flags: flags::of_a_client(&component.file("kubeconfig"), PORT, facts.election),
        writes: Vec::new(),
        health: Health {
            host: flags::LOCAL,
            port: PORT,
            alive: "/livez",
            ready: "/readyz",
        },
        condition: "",
        milli_cpu: 50,
        memory: 64,
    }
}
