//! What Kubernetes needs to know who is who: the keys that its control planes share, the certificates that each issues, and the files
//! that lead its clients to the API.
//!
//! Kubernetes, its front proxy and etcd have an authority each, and none of them is the one of the node's API: who is somebody to one
//! is nobody to the others. It is all pure but for randomness; which files hold what is the caller's.

mod authorities;
mod certificates;
mod kubeconfig;
mod shared;

pub use authorities::{Authorities, AuthoritiesError, PairPem};
pub use certificates::{
    ADMIN_LIFETIME, CertificateSpec, ControlPlane, KUBELET_ADMINS, LIFETIME, Purpose, Signer,
    admin, etcd_admin, joined, wanted,
};
pub use kubeconfig::{Kubeconfig, KubeconfigError, Part};
pub use shared::{ServiceAccountKey, SharedKeyError, shared_key};

/// The name of the authority of Kubernetes in its certificate.
pub const AUTHORITY: &str = "kubernetes";

/// The name of the authority of the front proxy.
pub const AGGREGATOR: &str = "kubernetes-front-proxy";

/// The name of the authority of etcd.
pub const ETCD: &str = "etcd";
