//! Links.

pub mod config;
pub mod merge;
