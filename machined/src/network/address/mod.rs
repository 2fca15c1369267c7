//! Addresses of links.

pub mod config;
pub mod merge;
