//! Name servers.

pub mod apply;
pub mod config;
pub mod merge;
