//! The images of the minor of Kubernetes before: what a cluster is upgraded from. They are in a bundle when somebody asks for them.

use super::{Image, NOBODY, Origin, RULES, VOLUMES};
use crate::allow::List;

/// The table of their programs.
const KUBERNETES: &str = "kubernetes/1.36";

/// Those of Kubernetes alone: what else there is goes with both minors.
pub const FORMER: &[Image] = &[
    Image {
        name: "kube-apiserver",
        purpose: "serves the API of Kubernetes",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: None,
        upstream: Some("registry.k8s.io/kube-apiserver:v1.36.3"),
        user: NOBODY,
        allow: list!("kube-apiserver"),
    },
    Image {
        name: "kube-controller-manager",
        purpose: "runs the controllers of Kubernetes",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: None,
        upstream: Some("registry.k8s.io/kube-controller-manager:v1.36.3"),
        user: NOBODY,
        allow: list!("kube-controller-manager"),
    },
    Image {
        name: "kube-scheduler",
        purpose: "chooses nodes for pods",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: None,
        upstream: Some("registry.k8s.io/kube-scheduler:v1.36.3"),
        user: NOBODY,
        allow: list!("kube-scheduler"),
    },
    Image {
        name: "kube-proxy",
        purpose: "leads services to pods",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: Some(&RULES),
        upstream: Some("registry.k8s.io/kube-proxy:v1.36.3"),
        // It changes the network of the node.
        user: 0,
        allow: list!("kube-proxy"),
    },
    Image {
        name: "kubelet",
        purpose: "runs the pods of a node",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: Some(&VOLUMES),
        // Kubernetes publishes the program alone.
        upstream: None,
        // It mounts, and owns what pods are made of.
        user: 0,
        allow: list!("kubelet"),
    },
];
