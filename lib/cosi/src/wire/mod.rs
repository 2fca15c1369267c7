//! The COSI wire: the service `cosi.resource.State` over a store, and its client.
//!
//! Independent clients, written elsewhere, must work unchanged. They rely on details: the ready marker of a watch, a spec
//! that is never absent, exact status codes, lists in order of id, bookmarks, tails. `tests/it/wire*.rs` holds each of
//! them fast, through messages alone.

pub mod access;
mod client;
mod codes;
mod convert;
mod error;
mod events;
pub mod proto;
mod server;
mod socket;
mod watching;

pub use access::{Access, Call, Grants, Open, Verb, Writer};
pub use client::{Client, Query, Watch};
pub use convert::{ConvertError, QueryError};
pub use error::ClientError;
pub use events::{Told, WatchStream, WireEvent};
pub use server::{Server, Service};
pub use socket::unix;
