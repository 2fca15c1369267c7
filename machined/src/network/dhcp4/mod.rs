//! Which links ask for an IPv4 address.

pub mod config;
pub mod merge;
