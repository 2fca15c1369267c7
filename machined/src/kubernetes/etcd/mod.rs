//! etcd: the service that it is, and whether it may begin.

pub mod apply;
pub mod bootstrap;
pub mod data;
pub mod service;
