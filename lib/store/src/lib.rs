//! Resources, transactions, snapshots, watches and queries, without I/O.
//!
//! ```text
//!            Transaction                      Snapshot (any number, never blocked)
//!                 |                               ^
//!                 v          publish              |
//!   Store --> apply(root) -----------> root of persistent ordered maps of Arc<Entry>
//!                 |
//!                 +--> history ring per kind --> watches that begin in the past
//!                 +--> one queue per Watcher (folds by id when its reader is slow)
//!                 +--> DirtySink marks, inside the commit
//! ```
//!
//! Owns the state of a process and its rules. Never reads a clock, starts a task, touches a file or a socket; knows no
//! type of the product but the two that describe types. Everything is ordered, so that the same commits give the same
//! bytes and the same events.
//!
//! A resource type is a struct:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use store::{Resource, Spec, Store, Transaction};
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
//! #[spec(
//!     type = "LinkStatuses.net.example",
//!     namespace = "network",
//!     aliases("links"),
//!     columns(("STATE", "operState"), ("MTU", "mtu"))
//! )]
//! #[serde(rename_all = "camelCase")]
//! struct LinkStatus {
//!     /// Whether packets flow.
//!     #[field(1)]
//!     oper_state: String,
//!     /// Largest packet.
//!     #[field(2)]
//!     mtu: u32,
//! }
//!
//! let store = Store::new(1);
//! let link = LinkStatus { oper_state: "up".into(), mtu: 1500 };
//! let now = jiff::Timestamp::UNIX_EPOCH;
//! store.commit(Transaction::owned("links").put(Resource::in_default("eth0", link)), now)?;
//! let link = store.snapshot().get_as::<LinkStatus>("network", "eth0").expect("it was just put");
//! assert_eq!(link.spec.mtu, 1500);
//! # Ok::<(), store::CommitError>(())
//! ```

// The derives name this crate by its path, also here.
extern crate self as store;

mod apply;
pub mod codec;
mod definition;
mod dirty;
mod entry;
pub mod meta;
mod metadata;
mod path;
mod query;
mod refusal;
mod registry;
mod resource;
mod root;
pub mod schema;
mod snapshot;
mod spec;
mod state;
#[cfg(test)]
mod testing;
mod transaction;
mod watch;
mod yaml;

pub use apply::Committed;
pub use definition::{Column, Definition, DefinitionError};
pub use derive::{Spec, SpecEnum, SpecMessage};
pub use dirty::{DirtySink, Matcher, Subscription};
pub use entry::{Cause, Change, Entry, Trigger};
pub use metadata::{
    Finalizers, Metadata, Phase, PhaseError, Reference, Revision, Uid, Version, VersionError,
};
pub use path::{Path, PathError, columns};
pub use query::{IdQuery, LabelOp, LabelQuery, LabelTerm, PatternError, Selector};
pub use refusal::CommitError;
pub use registry::{FromYamlError, LookupError, Registry, RegistryError};
pub use resource::{Resource, Typed};
pub use snapshot::Snapshot;
pub use spec::{ErasedSpec, RawSpec, Spec, YamlError};
pub use state::Store;
pub use transaction::{Expect, Op, Transaction};
pub use watch::{
    Bookmark, BookmarkError, Event, EventKind, HISTORY, QUEUE_LIMIT, Start, WatchError,
    WatchRequest, Watcher,
};
