//! Routes.

pub mod config;
pub mod merge;
