//! The API server over real TLS on loopback, in front of a node of a few lines.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole program is a test; the lints' exception for tests does not see its helpers"
)]

mod drain;
mod etcd;
mod first_config;
mod fixture;
mod flood;
mod join;
mod limits;
mod lines;
mod load;
mod maintenance;
mod matrix;
mod metrics;
mod tunnel;
mod upgrade;
