//! Names the node knows without asking a server.

pub mod apply;
pub mod config;
pub mod merge;
