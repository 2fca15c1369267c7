//! The service that the kubelet is. Pure.

use std::net::IpAddr;

use resources::kubernetes::{KubeletSpec, KubernetesSpec};
use resources::runtime::{
    MountPropagation, ServiceCheck, ServiceCheckKind, ServiceMount, ServiceSpec,
};

use super::inhibit;
use super::settings::HEALTH;
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::component::Component;
use crate::kubernetes::files::FILES;
use crate::kubernetes::flags::arguments;
use crate::kubernetes::image;

/// Where it keeps the volumes of pods.
pub const FOLDER: &str = "/var/lib/kubelet";

/// What the service follows from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The cluster.
    pub cluster: &'a KubernetesSpec,
    /// Its version.
    pub version: &'a str,
    /// What the node is to be in there.
    pub node: &'a KubeletSpec,
    /// Its name.
    pub name: &'a str,
    /// The addresses at which others reach it, one per family.
    pub addresses: &'a [IpAddr],
    /// What stands for the content of the files that it reads once.
    pub inputs: &'a str,
}

/// What of the node it sees: all that a pod could be given of it.
const MOUNTS: &[(&str, bool, MountPropagation)] = &[
    ("/dev", false, MountPropagation::Slave),
    ("/sys", false, MountPropagation::Slave),
    // Sockets of the runtime and of plugins, secrets of the node, and what is mounted for pods there.
    ("/run", false, MountPropagation::Shared),
    // Volumes are mounted in there, and the runtime has to see them.
    ("/var", false, MountPropagation::Shared),
    // Whole, since files in it are replaced: a mount of one would stay what it was.
    ("/etc", true, MountPropagation::Private),
    ("/usr/lib/modules", true, MountPropagation::Private),
    ("/usr/lib/os-release", true, MountPropagation::Private),
];

/// The service.
#[must_use]
pub fn spec(facts: &Facts<'_>) -> ServiceSpec {
    let file = |name| Component::Kubelet.file(name);
    let addresses: Vec<_> = facts.addresses.iter().map(IpAddr::to_string).collect();
    let mut flags = vec![
        ("config", file("config.json")),
        ("kubeconfig", file("kubeconfig")),
        ("hostname-override", facts.name.to_owned()),
        ("node-ip", addresses.join(",")),
        ("root-dir", FOLDER.to_owned()),
    ];
    // Both count only when the node is new to the cluster; later they are changed by `node::keep`.
    for (flag, values) in [
        ("node-labels", &facts.node.labels),
        ("register-with-taints", &facts.node.taints),
    ] {
        let value = values.join(",");
        if !value.is_empty() {
            flags.push((flag, value));
        }
    }
    let mounts = MOUNTS
        .iter()
        .map(|(path, read_only, propagation)| ServiceMount {
            source: (*path).to_owned(),
            target: (*path).to_owned(),
            read_only: *read_only,
            propagation: *propagation,
        });
    let memory = ServiceMount {
        target: "/tmp".to_owned(),
        ..ServiceMount::default()
    };
    ServiceSpec {
        image: image::reference(Component::Kubelet, facts.version, facts.cluster.images),
        program: "/usr/bin/kubelet".to_owned(),
        args: arguments(&flags).collect(),
        mounts: mounts.chain([memory]).collect(),
        // It is another one when what it reads has changed, so that it is started again.
        environment: vec![
            format!("GARBOARD_INPUTS={}", facts.inputs),
            format!("DBUS_SYSTEM_BUS_ADDRESS=unix:path={}", inhibit::SOCKET),
        ],
        capabilities: vec!["all".to_owned()],
        conditions: [EPHEMERAL, FILES].map(str::to_owned).into(),
        check: Some(ServiceCheck {
            kind: ServiceCheckKind::Http,
            target: format!("http://{HEALTH}/healthz"),
            ..ServiceCheck::default()
        }),
        memory_min: Some(64 << 20),
        // Without it no pod would be looked after.
        oom_score_adj: Some(-999),
        ..ServiceSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::static_pod;

    #[test]
    fn the_node_is_what_its_config_says() {
        let cluster = KubernetesSpec::default();
        let node = KubeletSpec {
            labels: vec!["a=b".to_owned(), "c=d".to_owned()],
            ..KubeletSpec::default()
        };
        let spec = spec(&Facts {
            cluster: &cluster,
            version: "1.37.1",
            node: &node,
            name: "cp-1",
            addresses: &["10.5.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
            inputs: "",
        });
        let has = |flag: &str| spec.args.iter().any(|it| it == flag);
        assert!(has("--node-labels=a=b,c=d"), "{:?}", spec.args);
        assert!(has("--node-ip=10.5.0.2,fd00::2"), "{:?}", spec.args);
        assert!(
            !spec.args.iter().any(|it| it.contains("taints")),
            "{:?}",
            spec.args
        );
        assert_eq!(spec.image, "garboard.internal/kubelet:v1.37.1");
    }

    #[test]
    fn what_it_reads_lies_in_what_it_sees() {
        for folder in [static_pod::FOLDER, FOLDER, inhibit::SOCKET] {
            assert!(
                MOUNTS.iter().any(|(path, ..)| folder.starts_with(path)),
                "{folder}"
            );
        }
    }
}
