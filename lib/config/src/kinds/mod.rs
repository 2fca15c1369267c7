//! The document kinds, one per file.

mod api_server;
mod api_trust;
mod cluster_identity;
mod console;
mod dhcp4;
mod environment;
mod etcd;
mod hostname;
mod join;
mod kernel_module;
mod kernel_value;
mod kubelet;
mod kubernetes;
mod kubernetes_manifest;
mod kubernetes_trust;
mod link;
mod log_destination;
mod machine;
mod registry_auth;
mod registry_mirror;
mod registry_tls;
mod resolver;
mod static_host;
mod sysctl;
mod system_disk;
mod time;
mod trusted_roots;

pub use api_server::{AdmissionConfig, AdmissionPlugin, ApiServerConfig};
pub use api_trust::{ApiTrustConfig, KeyPair};
pub use cluster_identity::{ClusterId, ClusterIdError, ClusterIdentityConfig};
pub use console::{ConsoleConfig, ConsoleName, ConsoleNameError, KernelLevel};
pub use dhcp4::{DEFAULT_DHCP4_METRIC, Dhcp4Config};
pub use environment::{
    EnvironmentConfig, VariableName, VariableNameError, VariableValue, VariableValueError,
};
pub(crate) use etcd::LEAST_HEARTBEATS;
pub use etcd::{EtcdConfig, EtcdSnapshotsConfig, SnapshotCount, SnapshotCountError};
pub use hostname::HostnameConfig;
pub use join::JoinConfig;
pub use kernel_module::{KernelModuleConfig, ModuleName, ModuleNameError, ParameterName};
pub use kernel_value::{KernelValue, KernelValueError};
pub use kubelet::{KubeletConfig, PodCount, PodCountError, ReservedConfig};
pub use kubernetes::{ImageSource, KubernetesConfig, PodNetwork};
pub use kubernetes_manifest::KubernetesManifestConfig;
pub use kubernetes_trust::{ControlPlaneTrust, KubernetesTrustConfig};
pub use link::{DEFAULT_ROUTE_METRIC, LinkConfig, RouteConfig, RouteError};
pub use log_destination::{
    LogDestinationConfig, LogFormat, LogSource, TagError, TagName, TagValue,
};
pub use machine::{MachineConfig, Role};
pub use registry_auth::RegistryAuthConfig;
pub use registry_mirror::{RegistryEndpointConfig, RegistryMirrorConfig};
pub use registry_tls::RegistryTlsConfig;
pub use resolver::ResolverConfig;
pub use static_host::StaticHostConfig;
pub use sysctl::{SysctlConfig, SysctlError, SysctlKey, SysctlKeyError};
pub use system_disk::SystemDiskConfig;
pub use time::TimeConfig;
pub use trusted_roots::TrustedRootsConfig;

/// For fields that are true unless said otherwise.
fn yes() -> bool {
    true
}

/// For fields that are false unless said otherwise.
fn no() -> bool {
    false
}
