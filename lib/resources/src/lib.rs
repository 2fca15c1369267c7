//! Every resource type of the product: spec, definition, columns.
//!
//! One area per module, one type per file. Only what a type says and what its resources are called; no logic.

pub mod block;
pub mod config;
pub mod images;
pub mod kubernetes;
pub mod net;
pub mod runtime;

use store::{Registry, RegistryError};

/// The namespaces that resources live in, and what each is for: what a node says when it is asked for its namespaces.
pub const NAMESPACES: [(&str, &str); 8] = [
    (
        block::NAMESPACE,
        "the disks of the node, and its volumes on them",
    ),
    (config::NAMESPACE, "the machine config"),
    (
        images::NAMESPACE,
        "the container images that came with the node, and where others are fetched from",
    ),
    (
        kubernetes::NAMESPACE,
        "the cluster that the node is of, and what it runs for it",
    ),
    (
        store::meta::META,
        "the types of resources, and the namespaces",
    ),
    (
        net::MERGED,
        "what the network should be, merged, and what it is",
    ),
    (net::LAYERED, "what each source wants of the network"),
    (
        runtime::NAMESPACE,
        "what the node is and does, and what its kernel should be",
    ),
];

/// Makes every type known to a process.
///
/// # Errors
/// When a type is known already; the types of this crate do not clash among themselves.
pub fn register_all(registry: &mut Registry) -> Result<(), RegistryError> {
    registry
        .register::<block::Disk>()?
        .register::<block::Mount>()?
        .register::<block::SystemDiskSpec>()?
        .register::<block::VolumeStatus>()?
        .register::<config::MachineConfig>()?
        .register::<images::CachedImage>()?
        .register::<images::ImageBundle>()?
        .register::<images::RegistrySpec>()?
        .register::<images::RegistryStatus>()?;
    of_kubernetes(registry)?;
    registry
        .register::<net::AddressSpec>()?
        .register::<net::AddressStatus>()?
        .register::<net::Dhcp4Lease>()?
        .register::<net::Dhcp4Spec>()?
        .register::<net::HostnameSpec>()?
        .register::<net::LinkSpec>()?
        .register::<net::LinkStatus>()?
        .register::<net::MasqueradeSpec>()?
        .register::<net::MasqueradeStatus>()?
        .register::<net::NodeAddress>()?
        .register::<net::ResolverSpec>()?
        .register::<net::RouteSpec>()?
        .register::<net::RouteStatus>()?
        .register::<net::StaticHostSpec>()?
        .register::<net::TimeServerSpec>()?
        .register::<net::TimeServerStatus>()?
        .register::<net::TimeSpec>()?
        .register::<net::TimeStatus>()?;
    register_runtime(registry)
}

/// The types of what the node is and does.
fn register_runtime(registry: &mut Registry) -> Result<(), RegistryError> {
    registry
        .register::<runtime::ClusterInfo>()?
        .register::<runtime::Condition>()?
        .register::<runtime::ConsoleSpec>()?
        .register::<runtime::Departure>()?
        .register::<runtime::EnvironmentSpec>()?
        .register::<runtime::KernelModule>()?
        .register::<runtime::KernelModuleSpec>()?
        .register::<runtime::KernelModuleStatus>()?
        .register::<runtime::KernelParamSpec>()?
        .register::<runtime::KernelParamStatus>()?
        .register::<runtime::LogDestinationSpec>()?
        .register::<runtime::LogDestinationStatus>()?
        .register::<runtime::MachineStatus>()?
        .register::<runtime::Pairing>()?
        .register::<runtime::Reboot>()?
        .register::<runtime::ServiceSpec>()?
        .register::<runtime::ServiceStatus>()?
        .register::<runtime::StageStatus>()?
        .register::<runtime::TrustedRootsSpec>()?
        .register::<runtime::TrustedRootsStatus>()?
        .register::<runtime::Version>()?;
    Ok(())
}

fn of_kubernetes(registry: &mut Registry) -> Result<(), RegistryError> {
    registry
        .register::<kubernetes::ApiServerEndpoint>()?
        .register::<kubernetes::CertificateStatus>()?
        .register::<kubernetes::ControlPlane>()?
        .register::<kubernetes::EtcdSnapshot>()?
        .register::<kubernetes::EtcdSpec>()?
        .register::<kubernetes::KubeletSpec>()?
        .register::<kubernetes::KubernetesRelease>()?
        .register::<kubernetes::KubernetesSpec>()?
        .register::<kubernetes::Manifest>()?
        .register::<kubernetes::ManifestStatus>()?
        .register::<kubernetes::NodeStatus>()?
        .register::<kubernetes::PodStatus>()?
        .register::<kubernetes::StaticPod>()?
        .register::<kubernetes::WorkloadStatus>()?;
    Ok(())
}
