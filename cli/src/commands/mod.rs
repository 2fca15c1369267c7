//! The commands, one file each: arguments, call, result.

pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod copy;
pub(crate) mod dashboard;
mod departure;
pub(crate) mod etcd;
pub(crate) mod generate;
pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod kubernetes;
pub(crate) mod power;
pub(crate) mod services;
pub(crate) mod storage;
pub(crate) mod stream;
pub(crate) mod support;
pub(crate) mod time;
pub(crate) mod version;
