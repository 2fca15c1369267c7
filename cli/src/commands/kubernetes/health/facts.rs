//! What one node says of itself, and of its cluster, and what is wrong with it by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use api::v1alpha1::etcd_service_client::EtcdServiceClient;
use api::v1alpha1::{EtcdAlarm, EtcdAlarmsRequest, EtcdMember, EtcdMembersRequest};
use cosi::wire::Client;
use resources::block::{VolumePhase, VolumeStatus};
use resources::kubernetes::{
    ApiServerEndpoint, KubernetesSpec, ManifestStatus, NodeStatus, PodPhase, PodStatus, StaticPod,
    WorkloadStatus,
};
use resources::net::{HostnameSpec, TIME};
use resources::runtime::{Condition, MachineStatus, ServiceStatus, Stage, StageStatus};
use store::Registry;
use tonic::transport::Channel;

use super::super::seen::{all, unwell};
use crate::explain::sentence;
use crate::output::{self, with_reason};

/// The volume with everything that pods, images and etcd keep.
const EPHEMERAL: &str = "EPHEMERAL";

/// The namespace of the cluster's own pods.
pub(super) const SYSTEM: &str = "kube-system";

const MIB: u64 = 1 << 20;

/// The least that a node of Kubernetes needs, in bytes. What `memory` and `disk` are compared with is less than what a machine has:
/// the kernel keeps an eighth of a small one's memory for itself, and 2.3 GiB of its disk are for the system.
#[derive(Clone, Copy, Debug)]
struct Least {
    memory: u64,
    disk: u64,
}

/// etcd's data may become 2 GiB, and its copy while it is made smaller as much again.
const PLANE: Least = Least {
    memory: 1024 * MIB,
    disk: 4096 * MIB,
};

/// The images that every node has, unpacked, and as much for those of pods.
const WORKER: Least = Least {
    memory: 512 * MIB,
    disk: 2048 * MIB,
};

/// What etcd says through one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Etcd {
    pub(super) cluster: String,
    /// By their ids.
    pub(super) members: Vec<EtcdMember>,
    pub(super) alarms: Vec<EtcdAlarm>,
}

/// What one node says of itself, and of the others.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) own: String,
    pub(super) machine: Option<MachineStatus>,
    pub(super) stage: Option<StageStatus>,
    pub(super) volumes: BTreeMap<String, VolumeStatus>,
    pub(super) conditions: BTreeMap<String, Condition>,
    pub(super) services: BTreeMap<String, ServiceStatus>,
    pub(super) cluster: Option<KubernetesSpec>,
    /// Nothing on a worker; in words why etcd says nothing.
    pub(super) etcd: Option<Result<Etcd, String>>,
    pub(super) servers: BTreeMap<String, ApiServerEndpoint>,
    pub(super) nodes: BTreeMap<String, NodeStatus>,
    pub(super) static_pods: BTreeMap<String, StaticPod>,
    pub(super) pods: BTreeMap<String, PodStatus>,
    pub(super) manifests: BTreeMap<String, ManifestStatus>,
    pub(super) workloads: BTreeMap<String, WorkloadStatus>,
}

impl Facts {
    /// Asks a node.
    pub(super) async fn of(channel: Channel) -> Result<Self> {
        let mut registry = Registry::new();
        registry
            .register::<HostnameSpec>()?
            .register::<MachineStatus>()?
            .register::<StageStatus>()?
            .register::<VolumeStatus>()?
            .register::<Condition>()?
            .register::<ServiceStatus>()?
            .register::<KubernetesSpec>()?
            .register::<ApiServerEndpoint>()?
            .register::<NodeStatus>()?
            .register::<StaticPod>()?
            .register::<PodStatus>()?
            .register::<ManifestStatus>()?
            .register::<WorkloadStatus>()?;
        let client = Client::new(channel.clone(), Arc::new(registry));
        let name = all::<HostnameSpec>(&client).await?.into_values().next();
        let cluster = all::<KubernetesSpec>(&client).await?.into_values().next();
        let etcd = match &cluster {
            Some(cluster) if cluster.control_plane => {
                Some(etcd(channel).await.map_err(|error| sentence(&error.into())))
            }
            _ => None,
        };
        Ok(Self {
            own: name.map(|it| it.hostname).unwrap_or_default(),
            machine: all(&client).await?.into_values().next(),
            stage: all(&client).await?.into_values().next(),
            volumes: all(&client).await?,
            conditions: all(&client).await?,
            services: all(&client).await?,
            cluster,
            etcd,
            servers: all(&client).await?,
            nodes: all(&client).await?,
            static_pods: all(&client).await?,
            pods: all(&client).await?,
            manifests: all(&client).await?,
            workloads: all(&client).await?,
        })
    }

    pub(super) fn stage(&self) -> Option<String> {
        let Some(StageStatus { stage, reason }) = &self.stage else {
            return Some("it does not say how far it is".to_owned());
        };
        let is = with_reason(&format!("it is {}", output::word(stage)), reason);
        (*stage != Stage::Running).then_some(is)
    }

    pub(super) fn memory(&self) -> Option<String> {
        let (least, kind) = self.least()?;
        let has = self.machine.as_ref()?.memory_bytes;
        let needs = output::size(least.memory);
        (has < least.memory / 8 * 7).then(|| {
            format!(
                "its {} of memory are too little: a {kind} needs {needs}",
                output::size(has)
            )
        })
    }

    pub(super) fn disk(&self) -> Option<String> {
        let (least, kind) = self.least()?;
        let has = self.volumes.get(EPHEMERAL)?.bytes;
        let needs = output::size(least.disk);
        (has > 0 && has < least.disk).then(|| {
            format!(
                "{EPHEMERAL} has {}, which is too little: a {kind} needs {needs} there",
                output::size(has)
            )
        })
    }

    pub(super) fn volumes(&self) -> Option<String> {
        let mut all = self.volumes.iter();
        let (name, status) = all.find(|(_, it)| it.phase != VolumePhase::Ready)?;
        let is = format!("volume {name} is {}", output::word(&status.phase));
        Some(with_reason(&is, &status.reason))
    }

    pub(super) fn time(&self) -> Option<String> {
        let unmet = self.conditions.get(TIME).filter(|it| !it.met)?;
        Some(with_reason("nobody vouches for its clock", &unmet.message))
    }

    pub(super) fn etcd(&self) -> Option<String> {
        self.plane()?;
        self.service("etcd")
    }

    pub(super) fn kubelet(&self) -> Option<String> {
        self.cluster.as_ref()?;
        self.service("containerd")
            .or_else(|| self.service("kubelet"))
    }

    pub(super) fn server(&self) -> Option<String> {
        self.cluster.as_ref()?;
        if self.servers.values().any(|it| it.well) {
            return None;
        }
        let last = self.servers.iter().next();
        let last = last.map(|(at, it)| format!("{at}: {}", it.reason));
        Some(with_reason(
            "it reaches no API server",
            &last.unwrap_or_default(),
        ))
    }

    pub(super) fn static_pods(&self) -> Option<String> {
        self.plane()?;
        if self.static_pods.is_empty() {
            return Some("it was not told yet which pods it runs by itself".to_owned());
        }
        self.static_pods.keys().find_map(|name| {
            let Some(pod) = self.static_pod(name) else {
                return Some(format!("the API server knows nothing of its {name} yet"));
            };
            let is = format!("{name} is {}", output::word(&pod.phase));
            (pod.phase != PodPhase::Running).then(|| with_reason(&is, &pod.reason))
        })
    }

    pub(super) fn components(&self) -> Option<String> {
        self.plane()?;
        self.static_pods.keys().find_map(|name| {
            let unready = self.static_pod(name).filter(|it| !it.ready)?;
            Some(with_reason(
                &format!("{name} is not ready"),
                &unready.reason,
            ))
        })
    }

    /// What the cluster knows of a pod that the node runs by itself: the kubelet adds the node's name to the pod's.
    fn static_pod(&self, name: &str) -> Option<&PodStatus> {
        self.pods.get(&format!("{SYSTEM}/{name}-{}", self.own))
    }

    /// What the node needs for Kubernetes, and what it is to it.
    fn least(&self) -> Option<(Least, &'static str)> {
        self.cluster.as_ref().map(|it| match it.control_plane {
            true => (PLANE, "control plane"),
            false => (WORKER, "worker"),
        })
    }

    pub(super) fn plane(&self) -> Option<&KubernetesSpec> {
        self.cluster.as_ref().filter(|it| it.control_plane)
    }

    /// What is wrong with a service of the node.
    fn service(&self, name: &str) -> Option<String> {
        match self.services.get(name) {
            None => Some(format!("there is no service {name} yet")),
            Some(status) => unwell(name, status),
        }
    }
}

async fn etcd(channel: Channel) -> Result<Etcd, tonic::Status> {
    let mut client = EtcdServiceClient::new(channel);
    let members = client.members(EtcdMembersRequest {}).await?.into_inner();
    let alarms = client.alarms(EtcdAlarmsRequest {}).await?.into_inner();
    let mut etcd = Etcd {
        cluster: members.cluster,
        members: members.members,
        alarms: alarms.alarms,
    };
    etcd.members.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(etcd)
}
