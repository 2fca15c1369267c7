//! A client of etcd: who its members are, how they are, and what copies of its data look like.
//!
//! Owns the calls that a node makes to etcd and the form of a snapshot; never: when one is made, or what becomes of the
//! answer. Nothing here reads or writes what is kept in etcd: that is the API server's.

mod client;
mod database;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
mod snapshot;
mod types;
mod wire;

pub use client::{Client, Error, Part, Snapshot};
pub use database::{Database, DatabaseError, StorageVersion, StorageVersionError};
pub use snapshot::{CHECKSUM, Check, NoSnapshot};
pub use types::{Alarm, AlarmKind, Id, Member, Members, Status};

/// Where a member answers its clients.
pub const CLIENT_PORT: u16 = 2379;

/// Where members talk to each other.
pub const PEER_PORT: u16 = 2380;
