//! The node daemon: state, controllers, API.
//!
//! machined owns what the node knows and decides: the store, the machine config, every pure controller and the API. It
//! changes the network through networkd alone, and what it starts outlives it.

pub mod api;
pub mod block;
pub mod config;
pub mod controllers;
pub mod images;
pub mod inspect;
pub mod join;
pub mod kubernetes;
pub mod metrics;
mod mounted;
pub mod network;
pub mod node;
pub mod runtime;
pub mod start;
pub mod tasks;

/// An enumeration's value as its one word, as every output shows it.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
