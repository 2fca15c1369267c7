//! What the config says of Kubernetes, without its secrets.

use ::config::{
    Documents, EtcdConfig, ImageSource as ConfigImages, KubeletConfig, KubernetesConfig,
    PodNetwork as ConfigNetwork, Role,
};
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::kubernetes::{
    ETCD, EtcdSpec, ImageSource, KUBELET, KUBERNETES, KubeletSpec, KubernetesSpec, PodNetwork,
};

use crate::network::convert::network;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "kubernetes.config" {
        reads MachineConfig;
        writes KubernetesSpec;
        writes KubeletSpec;
        writes EtcdSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        let Some((cluster, kubelet)) = wanted(&documents) else {
            return Ok(Outcome::Done);
        };
        if cluster.control_plane {
            let etcd = documents.etcd().cloned().unwrap_or_default();
            out.put(ETCD, member(&etcd));
        }
        out.put(KUBERNETES, cluster);
        out.put(KUBELET, kubelet);
        Ok(Outcome::Done)
    }
}

/// The cluster and the node in it; none without a `Kubernetes`.
#[must_use]
pub fn wanted(documents: &Documents) -> Option<(KubernetesSpec, KubeletSpec)> {
    let kubernetes = documents.kubernetes()?;
    let role = documents.machine().map_or(Role::Worker, |it| it.role);
    let kubelet = documents.kubelet().cloned().unwrap_or_default();
    Some((cluster(kubernetes, role), node(&kubelet, role)))
}

fn cluster(config: &KubernetesConfig, role: Role) -> KubernetesSpec {
    let ranges = |ranges: &[::config::Network]| ranges.iter().map(network).collect();
    let dns = config.dns_addresses();
    KubernetesSpec {
        version: config.version.to_string(),
        endpoint: config.endpoint.to_string(),
        pod_ranges: ranges(&config.pod_ranges),
        service_ranges: ranges(&config.service_ranges),
        dns_domain: config.dns_domain.to_string(),
        images: match config.images {
            ConfigImages::Bundle => ImageSource::Bundle,
            ConfigImages::Upstream => ImageSource::Upstream,
        },
        network: match config.network {
            ConfigNetwork::Builtin => PodNetwork::Builtin,
            ConfigNetwork::None => PodNetwork::None,
        },
        control_plane: role == Role::ControlPlane,
        dns_addresses: dns.iter().map(ToString::to_string).collect(),
    }
}

fn member(config: &EtcdConfig) -> EtcdSpec {
    let snapshots = config.snapshots.as_ref();
    let every = snapshots.and_then(|it| it.every);
    let at = snapshots.map_or(&[][..], |it| it.at.as_slice());
    EtcdSpec {
        snapshot_seconds: every.map_or(0, |it| it.get().as_secs()),
        snapshot_minutes: at.iter().map(|it| it.minutes()).collect(),
        snapshots_kept: snapshots.map_or(0, |it| it.keep.get()),
        snapshots_leave: snapshots.map_or(0, |it| it.leave_free.get()),
        heartbeat_ms: config.heartbeat.as_milliseconds(),
        election_ms: config.election.as_milliseconds(),
        quota_bytes: config.quota.get(),
    }
}

fn node(config: &KubeletConfig, role: Role) -> KubeletSpec {
    let labels = config.labels.iter();
    let annotations = config.annotations.iter();
    let reserved = &config.system_reserved;
    KubeletSpec {
        labels: labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
        annotations: annotations
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
        taints: config
            .taints(role)
            .iter()
            .map(ToString::to_string)
            .collect(),
        max_pods: config.max_pods.get().into(),
        reserved_milli_cpu: reserved.cpu.as_milli().into(),
        reserved_memory: reserved.memory.get(),
        reserved_disk: reserved.ephemeral_storage.get(),
        reserved_processes: reserved.processes,
    }
}
