//! DHCPv4: one client per wanted link.
//!
//! ```text
//!   Dhcp4Specs --> apply --> task (sockets, timer) <--> client (pure machine) --> lease --> outputs (pure)
//!                    ^                                                             |
//!                    +------------- status, lease <--------------------------------+
//! ```
//!
//! Owns the wire, the machine and what a lease means in specs. Never touches an address or a route itself: those come back as
//! merged specs, like everybody's.

pub mod apply;
mod client;
mod lease;
mod message;
mod outputs;
mod port;
mod task;
mod udp;
mod undecided;
mod value;

pub use client::{Chance, Client, Event, Send, To};
pub use lease::Lease;
pub use message::{Mac, MessageError, Reply, ReplyKind, Request, RequestKind, Terms, parse_reply};
pub use outputs::{Outputs, outputs};
pub use udp::{FrameError, build, parse_frame};
pub use undecided::undecided;
