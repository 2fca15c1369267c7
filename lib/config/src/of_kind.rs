//! The documents of one kind: how everybody asks a config what it says.

use crate::document::{Document, Documents};
use crate::kinds::{
    ApiServerConfig, ApiTrustConfig, ClusterIdentityConfig, ConsoleConfig, Dhcp4Config,
    EnvironmentConfig, EtcdConfig, HostnameConfig, JoinConfig, KernelModuleConfig, KubeletConfig,
    KubernetesConfig, KubernetesManifestConfig, KubernetesTrustConfig, LinkConfig,
    LogDestinationConfig, MachineConfig, RegistryAuthConfig, RegistryMirrorConfig,
    RegistryTlsConfig, ResolverConfig, StaticHostConfig, SysctlConfig, SystemDiskConfig,
    TimeConfig, TrustedRootsConfig,
};

/// What of a document is of this kind.
macro_rules! of_kind {
    ($kind:ident) => {
        |it| match it {
            Document::$kind(it) => Some(it),
            _ => None,
        }
    };
}

/// A method for each kind of which a config has at most one document.
macro_rules! one {
    ($($name:ident: $kind:ident($config:ident)),* $(,)?) => {
        impl Documents {
            $(
                #[doc = concat!("The `", stringify!($kind), "` document.")]
                #[must_use]
                pub fn $name(&self) -> Option<&$config> {
                    self.iter().find_map(of_kind!($kind))
                }
            )*
        }
    };
}

/// A method for each kind of which a config can have many.
macro_rules! many {
    ($($name:ident: $kind:ident($config:ident)),* $(,)?) => {
        impl Documents {
            $(
                #[doc = concat!("The `", stringify!($kind), "` documents.")]
                pub fn $name(&self) -> impl Iterator<Item = &$config> {
                    self.iter().filter_map(of_kind!($kind))
                }
            )*
        }
    };
}

one! {
    machine: Machine(MachineConfig),
    api_trust: ApiTrust(ApiTrustConfig),
    hostname: Hostname(HostnameConfig),
    resolver: Resolver(ResolverConfig),
    system_disk: SystemDisk(SystemDiskConfig),
    time: Time(TimeConfig),
    environment: Environment(EnvironmentConfig),
    cluster_identity: ClusterIdentity(ClusterIdentityConfig),
    console: Console(ConsoleConfig),
    kubernetes: Kubernetes(KubernetesConfig),
    kubernetes_trust: KubernetesTrust(KubernetesTrustConfig),
    join: Join(JoinConfig),
    kubelet: Kubelet(KubeletConfig),
    api_server: ApiServer(ApiServerConfig),
    etcd: Etcd(EtcdConfig),
}

many! {
    trusted_roots: TrustedRoots(TrustedRootsConfig),
    log_destinations: LogDestination(LogDestinationConfig),
    links: Link(LinkConfig),
    dhcp4: Dhcp4(Dhcp4Config),
    static_hosts: StaticHost(StaticHostConfig),
    sysctls: Sysctl(SysctlConfig),
    kernel_modules: KernelModule(KernelModuleConfig),
    registry_mirrors: RegistryMirror(RegistryMirrorConfig),
    registry_auths: RegistryAuth(RegistryAuthConfig),
    registry_tls: RegistryTls(RegistryTlsConfig),
    kubernetes_manifests: KubernetesManifest(KubernetesManifestConfig),
}
