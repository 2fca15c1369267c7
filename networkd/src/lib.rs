//! The network daemon: applies specs, observes, speaks DHCP, asks for the time.
//!
//! ```text
//!   machined (pure)                      networkd (effects)                kernel, wire
//!   LinkSpecs    -------------------->  link/apply     ---------------->  links
//!   AddressSpecs -------------------->  address/apply  ---------------->  addresses
//!   RouteSpecs   -------------------->  route/apply    ---------------->  routes
//!   Dhcp4Specs   -------------------->  dhcp4/apply    <--------------->  servers
//!   *Statuses    <--------------------  */status       <----------------  links, addresses, routes
//!   operator specs, Dhcp4Leases <-----  dhcp4/apply
//!   MasqueradeSpecs ----------------->  masquerade/apply ---------------->  nftables, by `nft`
//!   MasqueradeStatuses <--------------  masquerade/apply
//!   TimeServerSpecs ----------------->  time_server/apply <--------------->  servers
//!   TimeServerStatuses <--------------  time_server/apply
//! ```
//!
//! Owns every effect on the network and nothing else: what should be is decided in machined, reached over a unix socket. It
//! reads hostile packets, so it holds no key, no config and three capabilities. `kill -9` at any moment leaves the network as it
//! was: what it made carries a tag in the kernel, what it holds is remembered in machined's state.

pub mod address;
mod chance;
pub mod daemon;
pub mod dhcp4;
pub mod kernel;
pub mod life;
pub mod link;
pub mod masquerade;
pub mod rights;
pub mod route;
pub mod time_server;
