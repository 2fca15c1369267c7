//! The kubelet's settings. Pure; JSON is YAML to it.

use std::time::Duration;

use resources::kubernetes::{KubeletSpec, KubernetesSpec};
use serde_json::{Value, json};

use crate::kubernetes::component::Component;
use crate::kubernetes::static_pod::FOLDER;

/// The socket of containerd, which speaks CRI.
const RUNTIME: &str = "unix:///run/containerd/containerd.sock";

/// Where the kubelet answers whether it is well: on this node alone.
pub const HEALTH: &str = "127.0.0.1:10248";

/// Images that are pulled at a time.
const PULLS: u32 = 3;

/// How full the disk of images is, in percent, when those that no container uses are removed, and how full it is to be then: both
/// below what pods are evicted at, which is what the kubelet would begin at itself.
const FULL: u32 = 80;
const EMPTIED: u32 = 70;

/// How long pods have to end before the machine does, however long they ask for, and how much of it is for those that others need,
/// which end last: as others in the field have it.
pub const GRACE: Duration = Duration::from_secs(30);
const CRITICAL: Duration = Duration::from_secs(10);

/// What the kubelet reads at its start.
///
/// Its certificates are renewed by machined, and looked for again by the kubelet itself.
#[must_use]
pub fn config(cluster: &KubernetesSpec, node: &KubeletSpec) -> Value {
    let file = |name| Component::Kubelet.file(name);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "staticPodPath": FOLDER,
        "containerRuntimeEndpoint": RUNTIME,
        // There is no systemd that control groups could be asked of.
        "cgroupDriver": "cgroupfs",
        "clusterDomain": cluster.dns_domain,
        "clusterDNS": cluster.dns_addresses,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": file("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": file("serving.pem"),
        "tlsPrivateKeyFile": file("serving.pem"),
        "tlsMinVersion": "VersionTLS13",
        "readOnlyPort": 0,
        "seccompDefault": true,
        // The parts of a control plane end when another one is not there yet, and five minutes, which is usual, would be long
        // for a cluster to wait for them.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "30s"},
        // Swap of a node is its own affair.
        "failSwapOn": false,
        "maxPods": node.max_pods,
        "enforceNodeAllocatable": ["pods"],
        "systemReserved": {
            "cpu": format!("{}m", node.reserved_milli_cpu),
            "memory": node.reserved_memory.to_string(),
            "pid": node.reserved_processes.to_string(),
            "ephemeral-storage": node.reserved_disk.to_string(),
        },
        // It is told of the end by `inhibit`.
        "shutdownGracePeriod": format!("{}s", GRACE.as_secs()),
        "shutdownGracePeriodCriticalPods": format!("{}s", CRITICAL.as_secs()),
        "logging": {"format": "json"},
        // One large image holds up no other pod's; more than these share one line and one disk.
        "serializeImagePulls": false,
        "maxParallelImagePulls": PULLS,
        // Room is made before the disk is so full (85 %) that pods have to go.
        "imageGCHighThresholdPercent": FULL,
        "imageGCLowThresholdPercent": EMPTIED,
        // What pods write before and after: kept as long as the node's own logs.
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 3,
        "resolvConf": "/etc/resolv.conf",
        "volumePluginDir": "/var/lib/kubelet/volumeplugins",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_ask_the_clusters_own_dns() {
        let cluster = KubernetesSpec {
            dns_addresses: vec!["10.96.0.10".to_owned(), "fd00:2::a".to_owned()],
            dns_domain: "example.internal".to_owned(),
            ..KubernetesSpec::default()
        };
        let config = config(&cluster, &KubeletSpec::default());
        assert_eq!(config["clusterDNS"], json!(["10.96.0.10", "fd00:2::a"]));
        assert_eq!(config["clusterDomain"], "example.internal");
    }

    #[test]
    fn room_is_made_before_pods_have_to_go() {
        let config = config(&KubernetesSpec::default(), &KubeletSpec::default());
        let percent = |key: &str| config[key].as_u64().unwrap();
        // imagefs.available<15%, the kubelet's own.
        assert!(percent("imageGCHighThresholdPercent") < 85);
        assert!(percent("imageGCLowThresholdPercent") < percent("imageGCHighThresholdPercent"));
        // The kubelet refuses the number of pulls without this.
        assert_eq!(config["serializeImagePulls"], false);
        assert!(config["maxParallelImagePulls"].as_u64().unwrap() > 1);
    }

    #[test]
    fn pods_that_others_need_end_last_within_the_same_time() {
        let config = config(&KubernetesSpec::default(), &KubeletSpec::default());
        assert_eq!(config["shutdownGracePeriod"], "30s");
        assert_eq!(config["shutdownGracePeriodCriticalPods"], "10s");
        assert!(CRITICAL < GRACE);
    }

    #[test]
    fn nobody_without_a_certificate_is_answered() {
        let config = config(&KubernetesSpec::default(), &KubeletSpec::default());
        assert_eq!(config["authentication"]["anonymous"]["enabled"], false);
        assert_eq!(config["authorization"]["mode"], "Webhook");
        assert_eq!(config["readOnlyPort"], 0);
    }
}
