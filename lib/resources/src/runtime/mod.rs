//! Runtime resources: what the node is, what it does, and what it waits for.
//!
//! All in namespace `runtime`, all written by machined.

mod cluster_info;
mod condition;
mod console_spec;
mod departure;
mod environment_spec;
mod kernel_module;
mod kernel_module_spec;
mod kernel_module_status;
mod kernel_param_spec;
mod kernel_param_status;
mod log_destination_spec;
mod log_destination_status;
mod machine_status;
mod pairing;
mod reboot;
mod service_spec;
mod service_status;
mod stage_status;
mod trusted_roots_spec;
mod trusted_roots_status;
mod version;

pub use cluster_info::{CLUSTER, ClusterInfo};
pub use condition::Condition;
pub use console_spec::{CONSOLE, ConsoleSpec};
pub use departure::{Departure, DepartureEnd, DepartureState, LAST};
pub use environment_spec::{ENVIRONMENT, EnvironmentSpec};
pub use kernel_module::KernelModule;
pub use kernel_module_spec::KernelModuleSpec;
pub use kernel_module_status::{KernelModuleState, KernelModuleStatus};
pub use kernel_param_spec::KernelParamSpec;
pub use kernel_param_status::{KernelParamState, KernelParamStatus};
pub use log_destination_spec::LogDestinationSpec;
pub use log_destination_status::{LogDestinationState, LogDestinationStatus};
pub use machine_status::{MachineStatus, THIS};
pub use pairing::{CURRENT, Pairing};
pub use reboot::Reboot;
pub use service_spec::{
    MountPropagation, ServiceCheck, ServiceCheckKind, ServiceMount, ServiceRestart, ServiceSpec,
};
pub use service_status::{Health, ServiceState, ServiceStatus};
pub use stage_status::{MACHINED, Stage, StageStatus};
pub use trusted_roots_spec::TrustedRootsSpec;
pub use trusted_roots_status::TrustedRootsStatus;
pub use version::{GARBOARD, Version};

/// The namespace of runtime resources.
pub const NAMESPACE: &str = "runtime";
