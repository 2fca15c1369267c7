//! The document kinds, one per file.

mod api_trust;
mod dhcp4;
mod hostname;
mod link;
mod machine;
mod resolver;

pub use api_trust::{ApiTrustConfig, KeyPair};
pub use dhcp4::{DEFAULT_DHCP4_METRIC, Dhcp4Config};
pub use hostname::HostnameConfig;
pub use link::{DEFAULT_ROUTE_METRIC, LinkConfig, RouteConfig, RouteError};
pub use machine::{MachineConfig, Role};
pub use resolver::ResolverConfig;

/// For fields that are true unless said otherwise.
fn yes() -> bool {
    true
}
