//! Kubernetes on the machines of a local cluster.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use config::{Document, Documents, EtcdConfig, KubernetesEndpoint, Period, Role};
use provision::Cluster;

use super::fit::{Fit, LEAST_PLANE, LEAST_WORKER, Patience};
use super::kubectl::Kubectl;
use crate::exit::usage;

/// etcd's own heartbeat, for machines that are never late; scaled where they are.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// Whether they run it.
#[derive(Debug, Args)]
pub(super) struct Kubernetes {
    /// Machines that run Kubernetes, as they do unless said otherwise
    #[arg(long, overrides_with = "no_kubernetes")]
    kubernetes: bool,
    /// Machines without Kubernetes
    #[arg(long, overrides_with = "kubernetes")]
    no_kubernetes: bool,
    /// Leave Kubernetes waiting for `osctl bootstrap`
    #[arg(long)]
    pub(super) no_bootstrap: bool,
    #[command(flatten)]
    pub(super) kubectl: Kubectl,
}

impl Kubernetes {
    /// Whether machines run it, which get a config or not.
    pub(super) fn wanted(&self, config: bool) -> Result<bool> {
        if self.kubernetes && !config {
            let text = "what runs Kubernetes is in a config: leave out --no-config or --kubernetes";
            return Err(usage(text));
        }
        // Somebody who gives configs by hand says in them what runs.
        Ok(config && !self.no_kubernetes)
    }
}

/// Refuses machines without images, which are in a bundle or on the medium.
pub(super) fn check_images(images: bool) -> Result<()> {
    if images {
        return Ok(());
    }
    Err(usage(
        "Kubernetes' images come in a bundle: build it with `cargo xtask bundle`, or name one with --bundle; \
         --no-kubernetes makes machines without it",
    ))
}

/// Refuses what would not work: so many machines of such memory, with or without a disk.
pub(super) fn check(fit: &Fit, disk: bool) -> Result<()> {
    if !disk {
        let text = "Kubernetes keeps its images and its state on a disk; leave --no-disk out";
        return Err(usage(text));
    }
    for (count, role, kind, least) in [
        (fit.planes, Role::ControlPlane, "control plane", LEAST_PLANE),
        (fit.workers, Role::Worker, "worker", LEAST_WORKER),
    ] {
        if count > 0 && fit.machine(role).memory < least {
            return Err(usage(format!(
                "a {kind} of Kubernetes needs {least} MiB of memory; --memory {least} gives them"
            )));
        }
    }
    Ok(())
}

/// The port that leads to a machine besides that of the node's API.
pub(super) fn port(role: Role) -> Option<u16> {
    (role == Role::ControlPlane).then_some(KubernetesEndpoint::PORT)
}

/// Where the API is: the first machine is a control plane, and all reach it by the address that it is leased. Nodes that have
/// seen the cluster know its other control planes too, and go on when the first is off.
pub(super) fn endpoint(lease: Option<Ipv4Addr>) -> Result<KubernetesEndpoint> {
    let lease = lease.context("the first control plane has no address yet")?;
    KubernetesEndpoint::from_host(&lease.to_string()).context("the endpoint of Kubernetes")
}

/// A node's documents, of a cluster with so many workers, where things take so long. Pods come to its control planes too while
/// there are not two workers: a cluster that somebody tries shows two replicas on two nodes.
pub(super) fn open(documents: &Documents, workers: u8, patience: Patience) -> Result<Documents> {
    let opened = documents.iter().cloned().map(|mut document| {
        if let Document::Kubelet(kubelet) = &mut document
            && workers < 2
        {
            kubelet.taints = Some(Vec::new());
        }
        document
    });
    let etcd = etcd(documents, patience).map(Document::from);
    Documents::new(opened.chain(etcd)).context("building the documents")
}

/// How patient the etcd of a control plane is; none where it need not be more so than any node's is.
fn etcd(documents: &Documents, patience: Patience) -> Option<EtcdConfig> {
    let role = documents.machine().map(|it| it.role);
    documents
        .kubernetes()
        .filter(|_| role == Some(Role::ControlPlane))?;
    let heartbeat = patience.scale(HEARTBEAT).as_millis();
    let heartbeat = Period::milliseconds(heartbeat.try_into().unwrap_or(u64::MAX));
    let etcd = EtcdConfig::with_heartbeat(heartbeat);
    (etcd != EtcdConfig::default()).then_some(etcd)
}

/// The URL by which kubectl on this computer reaches the API.
pub(super) fn server(cluster: &Cluster) -> Result<String> {
    let first = cluster
        .vms()
        .first()
        .and_then(|it| it.endpoint(KubernetesEndpoint::PORT));
    let forwarded = first.context("the port of the API server is not forwarded")?;
    Ok(format!("https://{forwarded}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use config::{KubeletConfig, MachineConfig};
    use provision::{Accel, Room};

    use super::super::fit::Asked;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        kubernetes: Kubernetes,
        #[command(flatten)]
        asked: Asked,
    }

    fn of(line: &str) -> Line {
        let line = format!("create {line}");
        Line::try_parse_from(line.split_whitespace()).expect("a command line")
    }

    #[test]
    fn it_runs_unless_said_otherwise() {
        let wanted = |line: &str, config: bool| of(line).kubernetes.wanted(config).ok();
        assert_eq!(wanted("", true), Some(true));
        assert_eq!(wanted("--kubernetes", true), Some(true));
        assert_eq!(wanted("--no-kubernetes", true), Some(false));
        assert_eq!(wanted("--kubernetes --no-kubernetes", true), Some(false));
        assert_eq!(wanted("--no-kubernetes --kubernetes", true), Some(true));
        assert_eq!(wanted("", false), Some(false));
        assert_eq!(wanted("--kubernetes", false), None);
    }

    #[test]
    fn the_first_control_plane_has_the_api() {
        let here = endpoint(Some(Ipv4Addr::new(10, 0, 2, 15))).expect("an endpoint");
        assert_eq!(here.to_string(), "https://10.0.2.15:6443");
        assert!(endpoint(None).is_err());
        assert_eq!(port(Role::ControlPlane), Some(6443));
        assert_eq!(port(Role::Worker), None);
    }

    #[test]
    fn what_would_not_work_is_refused() {
        let room = Room {
            processors: 4,
            memory: 8192,
        };
        let check = |line: &str, disk: bool| {
            let fit = Fit::kubernetes(of(line).asked, room, Accel::Kvm);
            super::check(&fit, disk).map_err(|it| it.to_string())
        };
        assert_eq!(check("", true), Ok(()));
        assert_eq!(check("--memory 2048 --cpus 1", true), Ok(()));
        for (line, disk, why) in [
            ("", false, "--no-disk"),
            ("--memory 1024", true, "--memory 2048"),
        ] {
            let refused = check(line, disk).expect_err(why);
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(check("--workers 3", true), Ok(()));
        assert_eq!(check("--control-planes 3", true), Ok(()));
        assert!(check_images(true).is_ok());
        let refused = check_images(false).expect_err("no image").to_string();
        assert!(refused.contains("--no-kubernetes"), "{refused}");
    }

    /// That of a computer whose processors are shared by so many of machines.
    fn patience(accel: Accel, crowd: u32) -> Patience {
        let line = of(&format!("--workers 0 --cpus {crowd} --memory 2048"));
        let room = Room {
            processors: 1,
            memory: 8192,
        };
        Fit::kubernetes(line.asked, room, accel).patience(accel, room)
    }

    #[test]
    fn etcd_is_as_patient_as_its_machine_is_slow() {
        let documents = |role| {
            let cluster = config::KubernetesConfig::new(
                config::KubernetesVersion::NEWEST,
                endpoint(Some(Ipv4Addr::new(10, 0, 2, 15))).expect("an endpoint"),
            );
            Documents::new([MachineConfig { role }.into(), cluster.into()]).expect("documents")
        };
        let of = |role, accel, crowd| {
            let opened = open(&documents(role), 1, patience(accel, crowd)).expect("documents");
            let etcd = opened.etcd().cloned();
            etcd.map(|it| (it.heartbeat.to_string(), it.election.to_string()))
        };
        let times =
            |heartbeat: &str, election: &str| Some((heartbeat.to_owned(), election.to_owned()));
        let plane = Role::ControlPlane;
        assert_eq!(of(plane, Accel::Kvm, 1), None);
        assert_eq!(of(plane, Accel::Tcg, 1), times("800ms", "8s"));
        assert_eq!(of(plane, Accel::Tcg, 3), times("2400ms", "24s"));
        assert_eq!(of(plane, Accel::Tcg, 200), times("5s", "50s"));
        assert_eq!(of(Role::Worker, Accel::Tcg, 1), None);
    }

    #[test]
    fn pods_come_to_control_planes_of_small_clusters() {
        let taints = |workers: u8| {
            let documents = [KubeletConfig::default().into()];
            let documents = Documents::new(documents).expect("documents");
            let opened = open(&documents, workers, patience(Accel::Kvm, 1)).expect("documents");
            let kubelet = opened.iter().find_map(|it| match it {
                Document::Kubelet(kubelet) => Some(kubelet.taints(Role::ControlPlane).len()),
                _ => None,
            });
            kubelet.expect("its document is there")
        };
        assert_eq!((taints(0), taints(1), taints(2)), (0, 0, 1));
        let bare = Documents::new([]).expect("no documents");
        assert_eq!(
            open(&bare, 0, patience(Accel::Tcg, 1))
                .expect("none")
                .iter()
                .count(),
            0
        );
    }
}
