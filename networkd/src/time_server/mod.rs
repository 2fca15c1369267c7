//! NTP: one client per wanted address, which asks and never sets anything.
//!
//! ```text
//!   TimeServerSpecs --> apply --> task (socket, timer) <--> client (pure machine) <--> packet
//!                         ^                                   |
//!                         +------------- status <-------------+
//! ```
//!
//! Owns the wire and when to ask. What the answers are worth and what becomes of the clock is machined's to say: this process has no
//! right to set it, and whoever takes it over gains none.

pub mod apply;
mod client;
mod packet;
mod task;

#[cfg(test)]
mod tests;

pub use client::{Client, Event, Heard, MAX_INTERVAL, MIN_INTERVAL};
pub use packet::{Answer, Kiss, PacketError, Reply, parse, request};
