//! The pods of a control plane that its nodes run by themselves.
//!
//! Pure: from the cluster and the node to what the kubelet reads.

mod api_server;
pub mod apply;
pub mod config;
mod controller_manager;
mod pod;
pub mod ready;
mod scheduler;

pub use api_server::AUDIT;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ::config::ApiServerConfig;
use resources::kubernetes::{KubernetesRelease, KubernetesSpec, StaticPod};
use resources::net::Cidr;

/// Where the kubelet looks for them.
pub const FOLDER: &str = "/run/garboard/kubernetes/manifests";

/// Where the API server listens on every node of the control plane.
pub const API_PORT: u16 = 6443;

/// What the pods of a node follow from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The cluster.
    pub cluster: &'a KubernetesSpec,
    /// Which version of each part is run: one without is not.
    pub release: &'a KubernetesRelease,
    /// The address at which others reach the node.
    pub address: IpAddr,
    /// After how much silence members of etcd look for another leader.
    pub election: Duration,
    /// What the config sets of API servers.
    pub server: &'a ApiServerConfig,
    /// What stands for the content of the files that programs read once: a pod is another one when it has changed.
    pub inputs: &'a str,
}

/// The pods by their names.
#[must_use]
pub fn pods(facts: &Facts<'_>) -> BTreeMap<String, StaticPod> {
    let all = [
        api_server::pod(facts),
        controller_manager::pod(facts),
        scheduler::pod(facts),
    ];
    all.into_iter()
        .filter_map(|pod| Some((pod.component.name().to_owned(), pod.render(facts)?)))
        .collect()
}

/// Ranges as the programs take them.
fn ranges(ranges: &[Cidr]) -> String {
    let texts: Vec<_> = ranges.iter().map(Cidr::to_string).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use resources::kubernetes::ImageSource;
    use serde_json::Value;

    use super::*;

    fn cluster() -> KubernetesSpec {
        KubernetesSpec {
            endpoint: "https://api.example.org:6443".to_owned(),
            pod_ranges: vec![
                "10.244.0.0/16".parse().unwrap(),
                "fd00:1::/56".parse().unwrap(),
            ],
            service_ranges: vec!["10.96.0.0/12".parse().unwrap()],
            dns_domain: "cluster.local".to_owned(),
            control_plane: true,
            ..KubernetesSpec::default()
        }
    }

    fn rendered(cluster: &KubernetesSpec, inputs: &str) -> BTreeMap<String, Value> {
        let release = KubernetesRelease {
            api_server: "1.37.1".to_owned(),
            clients: "1.36.3".to_owned(),
            ..KubernetesRelease::default()
        };
        let pods = of(cluster, &release, inputs).into_iter();
        pods.map(|(name, pod)| (name, serde_json::from_str(&pod.manifest).unwrap()))
            .collect()
    }

    fn of(
        cluster: &KubernetesSpec,
        release: &KubernetesRelease,
        inputs: &str,
    ) -> BTreeMap<String, StaticPod> {
        pods(&Facts {
            cluster,
            release,
            address: "10.5.0.2".parse().unwrap(),
            election: Duration::ZERO,
            server: &ApiServerConfig::default(),
            inputs,
        })
    }

    #[test]
    fn each_is_of_its_own_version_and_one_without_is_none() {
        let mut release = KubernetesRelease {
            wanted: "1.37.1".to_owned(),
            api_server: "1.37.1".to_owned(),
            clients: "1.36.3".to_owned(),
            ..KubernetesRelease::default()
        };
        let images = |release: &KubernetesRelease| -> Vec<String> {
            let pods = of(&cluster(), release, "").into_values();
            pods.map(|it| it.image).collect()
        };
        let clients = [
            "garboard.internal/kube-controller-manager:v1.36.3",
            "garboard.internal/kube-scheduler:v1.36.3",
        ];
        let all = images(&release);
        assert_eq!(all[0], "garboard.internal/kube-apiserver:v1.37.1");
        assert_eq!(all[1..], clients);
        release.api_server.clear();
        assert_eq!(images(&release), clients);
        release.clients.clear();
        assert!(images(&release).is_empty());
    }

    fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
        value
            .pointer(pointer)
            .unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
    }

    fn command(pod: &Value) -> Vec<&str> {
        let words = at(pod, "/spec/containers/0/command").as_array().unwrap();
        words.iter().map(|word| word.as_str().unwrap()).collect()
    }

    #[test]
    fn nobody_is_root_or_reads_what_is_anothers() {
        let mut uids = Vec::new();
        for (name, pod) in rendered(&cluster(), "") {
            let context = at(&pod, "/spec/securityContext");
            assert_eq!(at(context, "/runAsNonRoot"), true);
            uids.push(at(context, "/runAsUser").as_u64().unwrap());
            let container = at(&pod, "/spec/containers/0/securityContext");
            assert_eq!(at(container, "/capabilities/drop/0"), "ALL");
            assert_eq!(at(container, "/readOnlyRootFilesystem"), true);
            for volume in at(&pod, "/spec/volumes").as_array().unwrap() {
                let path = at(volume, "/hostPath/path").as_str().unwrap();
                assert!(path.contains(&name), "{name} sees {path}");
            }
        }
        uids.sort_unstable();
        uids.dedup();
        assert_eq!(uids.len(), 3);
    }

    #[test]
    fn every_file_that_is_named_lies_in_a_folder_that_is_mounted() {
        for (name, pod) in rendered(&cluster(), "") {
            let mounts = at(&pod, "/spec/containers/0/volumeMounts")
                .as_array()
                .unwrap();
            let folders: Vec<_> = mounts
                .iter()
                .map(|it| at(it, "/mountPath").as_str().unwrap())
                .collect();
            let files = command(&pod)
                .into_iter()
                .filter_map(|word| word.split_once("=/"));
            for (flag, file) in files {
                let file = format!("/{file}");
                assert!(
                    folders.iter().any(|it| file.starts_with(it)),
                    "{name}: {flag}={file}"
                );
            }
        }
    }

    #[test]
    fn the_ranges_are_those_of_the_cluster() {
        let pods = rendered(&cluster(), "");
        let server = command(&pods["kube-apiserver"]);
        assert!(
            server.contains(&"--service-cluster-ip-range=10.96.0.0/12"),
            "{server:?}"
        );
        assert!(
            server.contains(&"--advertise-address=10.5.0.2"),
            "{server:?}"
        );
        assert!(
            server.contains(&"--service-account-issuer=https://api.example.org:6443"),
            "{server:?}"
        );
        let manager = command(&pods["kube-controller-manager"]);
        assert!(
            manager.contains(&"--cluster-cidr=10.244.0.0/16,fd00:1::/56"),
            "{manager:?}"
        );
    }

    #[test]
    fn whoever_brings_a_network_along_gives_out_the_ranges_of_nodes_all_the_same() {
        let own = KubernetesSpec {
            network: resources::kubernetes::PodNetwork::None,
            ..cluster()
        };
        let pods = rendered(&own, "");
        assert!(command(&pods["kube-controller-manager"]).contains(&"--allocate-node-cidrs=true"));
    }

    #[test]
    fn a_pod_is_another_one_when_what_it_reads_has_changed() {
        assert_ne!(rendered(&cluster(), "a"), rendered(&cluster(), "b"));
        assert_eq!(rendered(&cluster(), "a"), rendered(&cluster(), "a"));
    }

    #[test]
    fn images_are_the_nodes_own_or_upstreams() {
        let mut cluster = cluster();
        let image = |pods: &BTreeMap<String, Value>| {
            at(&pods["kube-scheduler"], "/spec/containers/0/image")
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            image(&rendered(&cluster, "")),
            "garboard.internal/kube-scheduler:v1.36.3"
        );
        cluster.images = ImageSource::Upstream;
        assert_eq!(
            image(&rendered(&cluster, "")),
            "registry.k8s.io/kube-scheduler:v1.36.3"
        );
    }
}
