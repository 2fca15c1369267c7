//! A small machine: its own network namespaces, a stand-in for machined's pure half, the real networkd as a process with its three capabilities, a real DHCP server.
//!
//! Every test runs in a process of its own under `unshare`, with a user namespace so that nobody needs root. `client0` is the link
//! under test; its other end `server0` lives in the namespace `far`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail the test and say why"
)]

mod dhcp;
mod machine;
mod process;
mod rights;
mod survival;
mod time;
mod upstream;
