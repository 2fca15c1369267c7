//! What the documents of Kubernetes say beside each other and beside those of the node.

use std::net::IpAddr;

use super::Fault;
use crate::document::Documents;
use crate::kinds::{
    EtcdConfig, JoinConfig, KubeletConfig, KubernetesConfig, KubernetesManifestConfig,
    KubernetesTrustConfig, LEAST_HEARTBEATS, LinkConfig, PodNetwork, Role,
};
use crate::types::{Host, Network};

/// The pods that a node's part of an IPv4 range, 256 addresses, has one for: two are the network's and one is the node's.
const MOST_PODS: u16 = 253;

impl Documents {
    pub(super) fn check_kubernetes(&self, kubernetes: &KubernetesConfig) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.machine().is_none() {
            let message = "Kubernetes needs a Machine document with the node's role";
            let help = "add one with `role: control-plane` or `role: worker`";
            faults.push(Fault::new(&[], message, help));
        } else if self.kubernetes_trust().is_none() {
            let message = "Kubernetes needs a KubernetesTrust document: without it the node believes nobody's API";
            let help = "`osctl gen config` makes one of the secrets of the cluster";
            faults.push(Fault::new(&[], message, help));
        }
        if self.machine().is_some_and(|it| it.role == Role::Worker) && self.join().is_none() {
            let message = "Kubernetes of a worker needs a Join document: its certificates are issued elsewhere";
            let help = "`osctl gen config --role worker` writes it from the secrets of the cluster";
            faults.push(Fault::new(&[], message, help));
        }
        faults.extend(check_ranges(kubernetes));
        if let Host::Address(address) = kubernetes.endpoint.host()
            && let Some((what, range)) = range_with(kubernetes, *address)
        {
            let message = format!("the endpoint {address} is in the range {range} of {what}");
            let help = "it must be the address of a machine; change it, or the range";
            faults.push(Fault::new(&["endpoint"], message, help));
        }
        faults
    }

    pub(super) fn check_kubernetes_trust(&self, trust: &KubernetesTrustConfig) -> Vec<Fault> {
        let role = self.machine().map(|it| it.role);
        let fault = match (role, &trust.control_plane) {
            (Some(Role::Worker), Some(_)) => Fault::new(
                &["controlPlane"],
                "KubernetesTrust of a worker must not hold `controlPlane`: a worker has no authority",
                "remove `controlPlane`; `osctl gen config --role worker` writes none",
            ),
            _ if self.kubernetes().is_none() => Fault::new(
                &[],
                "KubernetesTrust needs a Kubernetes document with the cluster it is of",
                "add one, or remove this one",
            ),
            (Some(Role::ControlPlane), None) => Fault::new(
                &[],
                "KubernetesTrust of a control-plane node needs `controlPlane`",
                "`osctl gen config` writes it from the secrets of the cluster, or make the node a worker",
            ),
            _ => return Vec::new(),
        };
        vec![fault]
    }

    pub(super) fn check_join(&self, join: &JoinConfig) -> Vec<Fault> {
        let role = self.machine().map(|it| it.role);
        let fault = if self.kubernetes().is_none() {
            Fault::new(
                &[],
                "Join needs a Kubernetes document: the cluster is what remembers whose a name is",
                "add one, or remove this one and give the worker a certificate as `serving` of its ApiTrust",
            )
        } else if role == Some(Role::ControlPlane) && !join.control_planes.is_empty() {
            Fault::new(
                &["controlPlanes"],
                "Join of a control-plane node has no `controlPlanes`: it asks nobody",
                "remove `controlPlanes`, or make the node a worker",
            )
        } else if role == Some(Role::Worker) && !join.former_tokens.is_empty() {
            Fault::new(
                &["formerTokens"],
                "Join of a worker has no `formerTokens`: it shows `token` alone",
                "remove `formerTokens`; control planes have them while workers still show one",
            )
        } else if join.former_tokens.contains(&join.token) {
            Fault::new(
                &["formerTokens"],
                "the token is among the `formerTokens` of its Join, so nothing was changed",
                "put a new one at `token`, as `openssl rand -base64 32` makes it, or remove this one",
            )
        } else {
            return Vec::new();
        };
        vec![fault]
    }

    pub(super) fn check_kubelet(&self, kubelet: &KubeletConfig) -> Vec<Fault> {
        let Some(kubernetes) = self.kubernetes() else {
            let message = "Kubelet needs a Kubernetes document with the cluster the node is of";
            let help = "add one, or remove this one";
            return vec![Fault::new(&[], message, help)];
        };
        let mut ranges = kubernetes.pod_ranges.iter();
        let ipv4 = ranges.any(|it| it.address().is_ipv4());
        let count = kubelet.max_pods.get();
        if kubernetes.network != PodNetwork::Builtin || !ipv4 || count <= MOST_PODS {
            return Vec::new();
        }
        let message = format!("a node has IPv4 addresses for {MOST_PODS} pods, not for {count}");
        let help = "lower it, or leave IPv4 or the network of pods to somebody else";
        vec![Fault::new(&["maxPods"], message, help)]
    }

    pub(super) fn check_etcd(&self, etcd: &EtcdConfig) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.machine().map(|it| it.role) == Some(Role::Worker) {
            let message = "Etcd does nothing on a worker: etcd runs on the control plane alone";
            let help = "remove it here, and give it to the nodes of the control plane";
            faults.push(Fault::new(&[], message, help));
        } else if self.kubernetes().is_none() {
            let message = "Etcd needs a Kubernetes document with the cluster whose state it keeps";
            let help = "add one, or remove this one";
            faults.push(Fault::new(&[], message, help));
        }
        let (heartbeat, election) = (etcd.heartbeat, etcd.election);
        let least = heartbeat.as_milliseconds().saturating_mul(LEAST_HEARTBEATS);
        if election.as_milliseconds() < least {
            let message = format!(
                "an election of {election} is less than {LEAST_HEARTBEATS} heartbeats of {heartbeat}, which etcd refuses"
            );
            let help = "raise it to ten heartbeats, or lower the heartbeat";
            faults.push(Fault::new(&["election"], message, help));
        }
        let Some(snapshots) = &etcd.snapshots else {
            return faults;
        };
        match (snapshots.every, snapshots.at.is_empty()) {
            (Some(_), false) => faults.push(Fault::new(
                &["snapshots", "at"],
                "snapshots are taken `every` so often or `at` times of the day, not both",
                "remove one of the two",
            )),
            (None, true) => faults.push(Fault::new(
                &["snapshots"],
                "nothing says when snapshots are taken",
                "add `every: 6h`, or `at` with times of the day in UTC; without `snapshots` none are taken",
            )),
            _ => {}
        }
        faults
    }

    pub(super) fn check_kubernetes_manifest(&self, it: &KubernetesManifestConfig) -> Vec<Fault> {
        let mut faults = Vec::new();
        match (&it.inline, &it.url) {
            (Some(_), Some(_)) => faults.push(Fault::new(
                &["url"],
                "KubernetesManifest has `inline` and `url`, of which it takes one",
                "remove one of the two, or make another document of it",
            )),
            (None, None) => faults.push(Fault::new(
                &[],
                "KubernetesManifest needs its objects",
                "write them below `inline: |`, or say where they are fetched as `url`",
            )),
            (Some(_), None) if it.sha256.is_some() => faults.push(Fault::new(
                &["sha256"],
                "KubernetesManifest with `inline` has no `sha256`: nothing is fetched",
                "remove `sha256`",
            )),
            _ => {}
        }
        if it.url.as_ref().is_some_and(|url| !url.is_https()) {
            let message = "objects of a cluster are fetched over https alone";
            let help = "whoever sits between could add any; write https://, and its authority as TrustedRoots if it is one of your own";
            faults.push(Fault::new(&["url"], message, help));
        }
        if self.machine().map(|it| it.role) == Some(Role::Worker) {
            let message = "KubernetesManifest does nothing on a worker: a control plane creates what is in it";
            let help = "remove it here, and give it to every node of the control plane";
            faults.push(Fault::new(&[], message, help));
        } else if self.kubernetes().is_none() {
            let message =
                "KubernetesManifest needs a Kubernetes document with the cluster it is for";
            let help = "add one, or remove this one";
            faults.push(Fault::new(&[], message, help));
        }
        faults
    }

    /// Rules for pods' connections that nobody would enforce.
    pub(super) fn policy_warnings(&self) -> Vec<String> {
        let network = self.kubernetes().map(|it| it.network);
        let manifests = self.kubernetes_manifests();
        let has_policies = |it: &&KubernetesManifestConfig| {
            let objects = it.inline.iter().flat_map(|it| it.objects());
            let mut kinds = objects.filter_map(|it| it.get("kind"));
            kinds.any(|kind| kind == "NetworkPolicy")
        };
        let idle = manifests.filter(|it| network == Some(PodNetwork::Builtin) && has_policies(it));
        idle.map(|it| {
            format!(
                "KubernetesManifest `{}`: a NetworkPolicy is not enforced by the node's own network of pods; bring one along that does, with \
                 `network: none`",
                it.name
            )
        })
        .collect()
    }

    /// Addresses of the node that pods or services would get.
    pub(super) fn check_link_of_cluster(&self, link: &LinkConfig) -> Vec<Fault> {
        let Some(kubernetes) = self.kubernetes() else {
            return Vec::new();
        };
        let addresses = link.addresses.iter().map(crate::Cidr::address).enumerate();
        let taken = addresses.filter_map(|(index, address)| {
            let (what, range) = range_with(kubernetes, address)?;
            let message = format!("{address} is in the range {range} of {what}");
            let help = "give the node another address, or the cluster another range";
            let number = index.to_string();
            Some(Fault::new(&["addresses", &number], message, help))
        });
        taken.collect()
    }
}

fn check_ranges(kubernetes: &KubernetesConfig) -> Vec<Fault> {
    let pods = &kubernetes.pod_ranges;
    let mut faults = Vec::new();
    for (index, services) in kubernetes.service_ranges.iter().enumerate() {
        let number = index.to_string();
        let path = ["serviceRanges", &number];
        let ipv4 = services.address().is_ipv4();
        if let Some(pods) = pods.iter().find(|it| it.overlaps(services)) {
            let message = format!("the services' range {services} and the pods' {pods} overlap");
            let help = "an address is either a pod's or a service's; change one of the two";
            faults.push(Fault::new(&path, message, help));
        } else if !pods.iter().any(|it| it.address().is_ipv4() == ipv4) {
            let family = if ipv4 { "IPv4" } else { "IPv6" };
            let message = format!("services have {family} addresses, and no pod has one");
            let help = "add a range of that family to `podRanges`, or remove this one";
            faults.push(Fault::new(&path, message, help));
        }
    }
    faults
}

/// The range of the cluster that an address is in, and whose it is.
fn range_with(kubernetes: &KubernetesConfig, address: IpAddr) -> Option<(&'static str, Network)> {
    let pods = kubernetes.pod_ranges.iter().map(|it| ("pods", *it));
    let services = kubernetes.service_ranges.iter().map(|it| ("services", *it));
    pods.chain(services)
        .find(|(_, range)| range.contains(address))
}

#[cfg(test)]
mod tests {
    #[test]
    fn policies_that_nobody_enforces_are_told() {
        let warnings = |network: &str, kind: &str| {
            let text = format!(
                "apiVersion: garboard/v1alpha1\nkind: Kubernetes\nversion: 1.37.1\nendpoint: https://10.0.0.1:6443\nnetwork: {network}\n---\n\
                 apiVersion: garboard/v1alpha1\nkind: KubernetesManifest\nname: rules\ninline: |\n  apiVersion: networking.k8s.io/v1\n  kind: {kind}\n  metadata: {{name: a}}\n"
            );
            crate::parse("test", text.as_bytes()).unwrap().warnings()
        };
        let [warning] = &warnings("builtin", "NetworkPolicy")[..] else {
            panic!("one is expected");
        };
        assert!(warning.contains("`rules`"), "{warning}");
        assert!(warnings("none", "NetworkPolicy").is_empty());
        assert!(warnings("builtin", "Ingress").is_empty());
    }
}
