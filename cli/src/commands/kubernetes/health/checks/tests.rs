use api::v1alpha1::{EtcdAlarm, EtcdMember};
use resources::block::{VolumePhase, VolumeStatus};
use resources::kubernetes::{
    ApiServerEndpoint, KubernetesSpec, ManifestStatus, PodNetwork, PodPhase, PodStatus, StaticPod,
    WorkloadStatus,
};
use resources::net::TIME;
use resources::runtime::{
    Condition, Health, MachineStatus, ServiceState, ServiceStatus, Stage, StageStatus,
};

use super::super::facts::Etcd;
use super::*;

const PARTS: [&str; 3] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

fn keyed<const N: usize, S: Clone>(names: [&str; N], of: &S) -> BTreeMap<String, S> {
    names.map(|it| (it.to_owned(), of.clone())).into()
}

fn member(id: &str, name: &str) -> EtcdMember {
    EtcdMember {
        id: id.to_owned(),
        name: name.to_owned(),
        ..EtcdMember::default()
    }
}

fn pod(name: &str) -> (String, PodStatus) {
    let pod = PodStatus {
        namespace: "kube-system".to_owned(),
        name: name.to_owned(),
        phase: PodPhase::Running,
        ready: true,
        ..PodStatus::default()
    };
    (format!("kube-system/{name}"), pod)
}

fn well(own: &str, control_plane: bool) -> Facts {
    let stage = StageStatus {
        stage: Stage::Running,
        reason: String::new(),
    };
    let service = ServiceStatus {
        state: ServiceState::Running,
        health: Health::Healthy,
        ..ServiceStatus::default()
    };
    let server = ApiServerEndpoint {
        well: true,
        ..ApiServerEndpoint::default()
    };
    let node = NodeStatus {
        ready: true,
        schedulable: true,
        ..NodeStatus::default()
    };
    let volume = VolumeStatus {
        phase: VolumePhase::Ready,
        bytes: 4 << 30,
        ..VolumeStatus::default()
    };
    let mut nodes = keyed(["cp-1", "worker-1"], &node);
    nodes.get_mut("cp-1").expect("there").control_plane = true;
    Facts {
        own: own.to_owned(),
        machine: Some(MachineStatus {
            memory_bytes: 900 << 20,
            ..MachineStatus::default()
        }),
        stage: Some(stage),
        services: keyed(["containerd", "kubelet"], &service),
        volumes: keyed(["EPHEMERAL"], &volume),
        cluster: Some(KubernetesSpec {
            control_plane,
            ..KubernetesSpec::default()
        }),
        servers: keyed(["127.0.0.1:6443"], &server),
        nodes,
        pods: [pod(&format!("kube-proxy-{own}"))].into(),
        ..Facts::default()
    }
}

fn plane() -> Facts {
    let mut facts = well("cp-1", true);
    let etcd = Etcd {
        cluster: "c".to_owned(),
        members: vec![member("1", "cp-1")],
        alarms: Vec::new(),
    };
    facts.etcd = Some(Ok(etcd));
    let healthy = facts.services["kubelet"].clone();
    facts.services.insert("etcd".to_owned(), healthy);
    facts.static_pods = keyed(PARTS, &StaticPod::default());
    facts
        .pods
        .extend(PARTS.map(|it| pod(&format!("{it}-cp-1"))));
    facts.manifests = keyed(["kube-proxy", "coredns"], &ManifestStatus::default());
    let all_of_it = WorkloadStatus {
        present: true,
        ..WorkloadStatus::default()
    };
    facts.workloads = keyed(["kube-proxy", "coredns"], &all_of_it);
    facts
}

/// The failing checks of a cluster that is changed so.
fn failing(change: impl Fn(&mut Facts, &mut Facts)) -> Vec<String> {
    let (mut plane, mut worker) = (plane(), well("worker-1", false));
    change(&mut plane, &mut worker);
    of([("cp-1", plane), ("worker-1", worker)])
}

/// The failing checks of these nodes.
fn of<const N: usize>(nodes: [(&str, Facts); N]) -> Vec<String> {
    let nodes = nodes.map(|(name, facts)| (name.to_owned(), Ok(facts)));
    let failed = outcomes(&nodes).into_iter().filter(|it| !it.passed);
    failed
        .flat_map(|it| {
            let check = it.check;
            it.failures
                .into_iter()
                .map(move |it| format!("{check}: {}: {}", it.node, it.reason))
        })
        .collect()
}

/// What etcd says through a node, of the facts of one of the control plane.
fn etcd(facts: &mut Facts) -> &mut Etcd {
    let etcd = facts.etcd.as_mut().expect("it has one");
    etcd.as_mut().expect("it answers")
}

#[test]
fn a_cluster_that_is_well_passes() {
    assert_eq!(failing(|_, _| {}), [""; 0]);
    // And so does a node without Kubernetes, small as it may be.
    let alone = |facts: &mut Facts| {
        let stage = facts.stage.take();
        *facts = Facts {
            stage,
            machine: Some(MachineStatus::default()),
            ..Facts::default()
        };
    };
    let bare = failing(|plane, worker| {
        alone(plane);
        alone(worker);
    });
    assert_eq!(bare, [""; 0]);
}

#[test]
fn what_is_wrong_is_told_with_its_node() {
    let told = failing(|plane, worker| {
        let etcd = plane.services.get_mut("etcd").expect("there");
        etcd.health = Health::Unhealthy;
        etcd.reason = "no leader".to_owned();
        worker.services.remove("kubelet");
        worker.servers.clear();
        plane.nodes.get_mut("worker-1").expect("there").schedulable = false;
        plane.nodes.get_mut("cp-1").expect("there").ready = false;
        let unmet = Condition {
            met: false,
            message: "no server answers".to_owned(),
        };
        worker.conditions.insert(TIME.to_owned(), unmet);
    });
    assert_eq!(
        told,
        [
            "time: worker-1: nobody vouches for its clock: no server answers",
            "etcd: cp-1: etcd is unhealthy: no leader",
            "kubelet: worker-1: there is no service kubelet yet",
            "api server: worker-1: it reaches no API server",
            "ready: cp-1: it is not Ready",
            "schedulable: worker-1: new pods do not come to it: it is cordoned",
        ]
    );
}

#[test]
fn a_node_that_the_cluster_does_not_know_is_missed() {
    let told = failing(|plane, _| drop(plane.nodes.remove("worker-1")));
    assert_eq!(told, ["known: worker-1: the cluster does not know it"]);
    let nodes = [("cp-1".to_owned(), Err("refused".to_owned()))];
    let first = &outcomes(&nodes)[0];
    assert_eq!((first.check, first.passed), ("api", false));
    assert_eq!(first.failures[0].reason, "refused");
}

#[test]
fn machines_that_are_too_small_are_told() {
    let told = failing(|plane, worker| {
        for facts in [plane, worker] {
            facts.machine.as_mut().expect("there").memory_bytes = 440 << 20;
            facts.volumes.get_mut("EPHEMERAL").expect("there").bytes = 3 << 30;
        }
    });
    let starts = [
        "memory: cp-1: its 440 MiB of memory are too little: a control plane needs",
        "memory: worker-1: its 440 MiB",
        "disk: cp-1: EPHEMERAL has 3 GiB",
    ];
    assert_eq!(told.len(), starts.len(), "{told:?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
}

#[test]
fn members_of_etcd_see_the_same_and_vote() {
    let other = |change: fn(&mut Etcd)| {
        let (one, mut two) = (plane(), plane());
        two.own = "cp-2".to_owned();
        change(etcd(&mut two));
        // What of the second one has another name is of no interest here.
        let told = of([("cp-1", one), ("cp-2", two)]);
        let told = told.into_iter().filter(|it| it.starts_with("etcd"));
        told.collect::<Vec<_>>()
    };
    assert_eq!(other(|_| {}), [""; 0]);
    assert_eq!(
        other(|it| it.members.push(member("2", "cp-2"))),
        ["etcd members: cp-2: it sees other members than cp-1: cp-1, cp-2, not cp-1"]
    );
    assert_eq!(
        other(|it| it.cluster = "d".to_owned()),
        ["etcd members: cp-2: its etcd is another cluster than that of cp-1"]
    );
    let told = failing(|plane, _| {
        let etcd = etcd(plane);
        etcd.members.first_mut().expect("there").learner = true;
        etcd.members.push(member("77", ""));
        etcd.alarms = vec![EtcdAlarm {
            member: "1".to_owned(),
            name: "cp-1".to_owned(),
            alarm: "NOSPACE".to_owned(),
        }];
    });
    assert_eq!(
        told,
        [
            "etcd members: cp-1: its member of etcd only listens yet, and has no vote",
            "etcd members: 77: it was added to etcd and has not started yet",
            "etcd alarms: cp-1: alarm NOSPACE",
        ]
    );
    let told = failing(|plane, _| plane.etcd = Some(Err("no majority".to_owned())));
    assert_eq!(
        told,
        ["etcd members: cp-1: etcd does not say who its members are: no majority"]
    );
}

#[test]
fn the_control_plane_and_the_members_are_the_same_nodes() {
    let told = failing(|plane, _| {
        etcd(plane).members.push(member("2", "cp-9"));
        plane
            .nodes
            .get_mut("worker-1")
            .expect("there")
            .control_plane = true;
    });
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        told[0],
        "control planes: worker-1: it is of the control plane, and no member of etcd"
    );
    assert!(told[1].starts_with("control planes: cp-9: it is a member"));
}

#[test]
fn static_pods_run_and_are_ready() {
    let told = failing(|plane, _| {
        plane.pods.remove("kube-system/kube-apiserver-cp-1");
        let scheduler = plane.pods.get_mut("kube-system/kube-scheduler-cp-1");
        let scheduler = scheduler.expect("there");
        scheduler.ready = false;
        scheduler.reason = "CrashLoopBackOff".to_owned();
    });
    assert_eq!(
        told,
        [
            "static pods: cp-1: the API server knows nothing of its kube-apiserver yet",
            "components: cp-1: kube-scheduler is not ready: CrashLoopBackOff",
        ]
    );
    let told = failing(|plane, _| {
        let scheduler = plane.pods.get_mut("kube-system/kube-scheduler-cp-1");
        scheduler.expect("there").phase = PodPhase::Pending;
    });
    assert_eq!(told, ["static pods: cp-1: kube-scheduler is pending"]);
}

#[test]
fn workloads_that_are_missing_are_told_with_their_pods() {
    let told = failing(|plane, worker| {
        let proxy = plane.workloads.get_mut("kube-proxy").expect("there");
        proxy.reason = "1 of 2 pods are ready".to_owned();
        let pod = worker.pods.get_mut("kube-system/kube-proxy-worker-1");
        let pod = pod.expect("there");
        pod.ready = false;
        pod.reason = "no image".to_owned();
        plane.workloads.remove("coredns");
    });
    assert_eq!(
        told,
        [
            "kube-proxy: cp-1: 1 of 2 pods are ready",
            "kube-proxy: worker-1: kube-proxy-worker-1: no image",
            "coredns: cp-1: nobody has looked for it yet",
        ]
    );
    let told = failing(|plane, _| {
        let status = plane.manifests.get_mut("coredns").expect("there");
        status.objects = 7;
        status.reason = "waits for the node's API server".to_owned();
    });
    assert_eq!(
        told,
        ["coredns: cp-1: it is not created yet: waits for the node's API server"]
    );
}

#[test]
fn who_brings_something_else_along_lacks_nothing() {
    let told = failing(|plane, _| {
        let gone = WorkloadStatus::default();
        plane.workloads.insert("coredns".to_owned(), gone);
        plane.cluster.as_mut().expect("there").network = PodNetwork::None;
        plane.manifests.remove("kube-proxy");
        plane.workloads.remove("kube-proxy");
    });
    assert_eq!(told, [""; 0]);
}
