//! One suite for the runtime, here and remote, and for the wire, seen by a client that knows only the protocol.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "helpers of tests fail the test"
)]

mod common;
mod controllers;
mod failure;
mod registration;
mod remote;
mod rest;
mod runtime;
mod stress;
mod wire;
mod wire_watch;
