//! rtnetlink verbs over sockets: list, watch and change links, addresses and routes.
//!
//! Owns the translation between the kernel's messages and types that cannot be wrong. It decides nothing and remembers nothing:
//! what should be is the caller's, what is gets read anew from the kernel. A watch therefore tells only *that* something of a
//! kind changed; a lost notification (`ENOBUFS`) is the same news about every kind, and no caller has to replay events.

mod address;
mod error;
mod frame;
mod link;
mod request;
mod route;
mod socket;
mod watch;

pub use address::{Address, AddressScope};
pub use error::Error;
pub use frame::{FrameError, Parsed, parse_frame};
pub use link::{Link, LinkChange, OperState};
pub use route::Route;
pub use socket::{Driver, Netlink, open};
pub use watch::{Changes, Dirty};
