//! Services: programs that this daemon keeps running, and that outlive it.

pub mod apply;
pub mod config;
mod container;
mod cycle;
pub mod daemons;
mod ends;
mod groups;
mod health;
mod keeper;
mod known;
mod orders;
mod plan;
mod record;
mod rules;
mod seen;
mod shared;

pub use orders::{OrderError, Orders, ServiceOrder};

#[cfg(test)]
mod tests;
