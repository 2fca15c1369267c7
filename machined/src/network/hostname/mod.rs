//! The node's name.

pub mod apply;
pub mod config;
pub mod merge;
