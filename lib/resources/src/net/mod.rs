//! Network resources: what links, addresses, routes and names should be, and what they are.
//!
//! A *spec* is layered in `LAYERED` (several sources, any ids) and merged in `MERGED` (one per thing, ids that name it); a
//! *status* lives in `MERGED` beside it. Only types and their ids here: merging is machined's, applying is networkd's.

mod address_spec;
mod address_status;
mod cidr;
mod dhcp4_lease;
mod dhcp4_spec;
mod hostname_spec;
mod layer;
mod link_name;
mod link_spec;
mod link_status;
mod masquerade_spec;
mod masquerade_status;
mod node_address;
mod resolver_spec;
mod route_spec;
mod route_status;
mod static_host_spec;
mod time_server_spec;
mod time_server_status;
mod time_spec;
mod time_status;

pub use address_spec::AddressSpec;
pub use address_status::AddressStatus;
pub use cidr::{Cidr, CidrError};
pub use dhcp4_lease::{Dhcp4Lease, Dhcp4Phase, Dhcp4Route};
pub use dhcp4_spec::{DEFAULT_METRIC, Dhcp4Spec};
pub use hostname_spec::{HOSTNAME, HostnameSpec};
pub use layer::ConfigLayer;
pub use link_name::{LinkName, LinkNameError};
pub use link_spec::LinkSpec;
pub use link_status::{LinkStatus, OperationalState};
pub use masquerade_spec::{MasqueradeSpec, PODS};
pub use masquerade_status::MasqueradeStatus;
pub use node_address::{CURRENT, NodeAddress};
pub use resolver_spec::{RESOLVERS, ResolverSpec};
pub use route_spec::{MAIN_TABLE, RouteSpec, route_id};
pub use route_status::RouteStatus;
pub use static_host_spec::StaticHostSpec;
pub use time_server_spec::TimeServerSpec;
pub use time_server_status::{LeapSecond, TimeSample, TimeServerPhase, TimeServerStatus};
pub use time_spec::{TIME, TimeSpec};
pub use time_status::{CLOCK, TimeStatus};

/// The namespace of merged specs and of statuses.
pub const MERGED: &str = "network";
/// The namespace of specs as their sources wrote them.
pub const LAYERED: &str = "network-config";
/// The tag networkd leaves on what it makes in the kernel (`IFA_PROTO`, `rtm_protocol`): it knows its own by this after a restart.
pub const KERNEL_TAG: u8 = 0x47;
