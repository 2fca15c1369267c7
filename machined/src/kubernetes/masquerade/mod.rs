//! Pods reach networks that know no way back to them.

pub mod config;
