//! The node below its controllers: devices, logs, events, the console, the clock, the link to init.

pub mod clock;
pub mod cluster;
pub mod console;
pub mod devices;
pub mod environment;
pub mod events;
pub mod init_link;
pub mod journal;
pub mod kernel_module;
pub mod kernel_param;
pub mod kmsg;
pub mod log_destination;
pub mod logs;
pub mod machine;
pub mod modules;
pub mod pairing;
pub mod service;
pub mod serving;
pub mod sockets;
pub mod stage;
pub mod trusted_roots;

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Lets the runtime wait until `inner` is ready for something.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for types whose descriptor changes; ours own one for their whole life"
)]
pub(crate) fn ready_for<T: AsRawFd>(inner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(inner, interest)
}

/// The same for what is to be read.
pub(crate) fn readable<T: AsRawFd>(inner: T) -> io::Result<AsyncFd<T>> {
    ready_for(inner, Interest::READABLE)
}
