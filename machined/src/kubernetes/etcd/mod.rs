//! etcd: the service that it is, whether it may begin, and what is asked of it.

pub mod access;
pub mod apply;
pub mod bootstrap;
pub mod data;
pub mod join;
pub mod leave;
pub mod member;
pub mod others;
mod recover;
pub mod restore;
pub mod serve;
pub mod service;
pub mod snapshots;
pub mod upload;
