//! The machine config: small YAML documents, one kind each, in one stream.
//!
//! Owns the document kinds, the types of their fields and the schema derived from them, the strict reader that says
//! where and why something is wrong, the writer, patches, redaction, and the checks between documents. It never touches
//! files, sockets or keys: bytes come in as arguments, and PEM text is looked at only for its shape.
//!
//! ```
//! let text = b"apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: node-1\n";
//! let documents = config::check("node.yaml", text)?;
//! assert_eq!(documents.hostname().map(|it| it.hostname.as_str()), Some("node-1"));
//! # Ok::<(), config::Problems>(())
//! ```

// The generated code of `#[derive(Schema)]` names this crate.
extern crate self as config;

mod decode;
mod diff;
mod document;
mod emit;
pub mod generate;
mod kinds;
mod nearest;
mod node;
mod of_kind;
pub mod patch;
mod problem;
mod read;
pub mod schema;
pub mod skew;
mod syntax;
mod tree;
mod types;
mod validate;
mod write;

pub use diff::diff;
pub use document::{Document, Documents, Identity, Kind};
pub use kinds::{
    AdmissionConfig, AdmissionPlugin, ApiServerConfig, ApiTrustConfig, ClusterId, ClusterIdError,
    ClusterIdentityConfig, ConsoleConfig, ConsoleName, ConsoleNameError, ControlPlaneTrust,
    DEFAULT_DHCP4_METRIC, DEFAULT_ROUTE_METRIC, Dhcp4Config, EnvironmentConfig, EtcdConfig,
    EtcdSnapshotsConfig, HostnameConfig, ImageSource, JoinConfig, KernelLevel, KernelModuleConfig,
    KernelValue, KernelValueError, KeyPair, KubeletConfig, KubernetesConfig,
    KubernetesManifestConfig, KubernetesTrustConfig, LinkConfig, LogDestinationConfig, LogFormat,
    LogSource, MachineConfig, ModuleName, ModuleNameError, ParameterName, PodCount, PodCountError,
    PodNetwork, RegistryAuthConfig, RegistryEndpointConfig, RegistryMirrorConfig,
    RegistryTlsConfig, ReservedConfig, ResolverConfig, Role, RouteConfig, RouteError,
    SnapshotCount, SnapshotCountError, StaticHostConfig, SysctlConfig, SysctlError, SysctlKey,
    SysctlKeyError, SystemDiskConfig, TagError, TagName, TagValue, TimeConfig, TrustedRootsConfig,
    VariableName, VariableNameError, VariableValue, VariableValueError,
};
pub use nearest::nearest;
pub use problem::{Position, Problem, Problems, looks_secret};
pub use read::{check, parse};
pub use types::{
    Bytes, Certificate, Cidr, CidrError, Cpu, CredentialsError, DiskBus, DiskFacts, DiskSelector,
    DiskSelectorError, DiskSelectorFault, DocumentName, DocumentNameError, Host, Hostname,
    HostnameError, KubernetesEndpoint, KubernetesEndpointError, KubernetesObjects,
    KubernetesObjectsError, KubernetesSettings, KubernetesSettingsError, KubernetesVersion,
    KubernetesVersionError, LabelError, LabelKey, LabelValue, LinkName, LinkNameError, LogProtocol,
    LogUrl, LogUrlError, Mtu, MtuError, Network, NetworkError, NoProxy, NoProxyError, NodeLabelKey,
    ObjectPlace, Password, PemError, Period, PeriodError, PrivateKey, ProxyUrl, ProxyUrlError,
    QuantityError, RegistryError, RegistryHost, RegistryName, Sha256, Sha256Error, SharedKey,
    SharedKeyError, Taint, TaintEffect, TaintError, TimeOfDay, TimeOfDayError, Username, WebUrl,
    WebUrlError,
};
pub use write::WriteError;

/// The only `apiVersion` that exists.
pub const API_VERSION: &str = "garboard/v1alpha1";

/// What stands in an output in the place of a secret.
pub const REDACTED: &str = "**redacted**";

/// The largest stream that is read, in bytes: hundreds of times a real config, and small enough
/// to be held several times over in the memory of the smallest node.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting of lists and maps; the deepest kind needs five.
pub const MAX_DEPTH: usize = 64;

/// The most documents in one stream: two per interface of a node with five hundred of them.
pub const MAX_DOCUMENTS: usize = 1024;
