//! The kubelet: what it is told, and the service that it is.

pub mod config;
pub mod inhibit;
pub mod service;
pub mod settings;
