//! What the node is in a Kubernetes cluster, and what it runs for it.

mod api_server_endpoint;
mod certificate_status;
mod control_plane;
mod etcd_snapshot;
mod etcd_spec;
mod kubelet_spec;
mod kubernetes_release;
mod kubernetes_spec;
mod manifest;
mod node_status;
mod pod_status;
mod static_pod;
mod workload_status;

pub use api_server_endpoint::ApiServerEndpoint;
pub use certificate_status::CertificateStatus;
pub use control_plane::ControlPlane;
pub use etcd_snapshot::EtcdSnapshot;
pub use etcd_spec::{ETCD, EtcdSpec};
pub use kubelet_spec::{KUBELET, KubeletSpec};
pub use kubernetes_release::KubernetesRelease;
pub use kubernetes_spec::{ImageSource, KUBERNETES, KubernetesSpec, PodNetwork};
pub use manifest::{Manifest, ManifestStatus};
pub use node_status::NodeStatus;
pub use pod_status::{PodPhase, PodStatus};
pub use static_pod::StaticPod;
pub use workload_status::WorkloadStatus;

/// The namespace of everything here.
pub const NAMESPACE: &str = "kubernetes";
