//! The machine config on this node: kept as generations, loaded at start, shown as a resource.
//!
//! Owns the files and which of them counts. What a config may say is the `config` crate's; what it
//! makes the node do is the controllers', which read the resource and never the files.

mod active;
mod configs;
mod files;
mod generation;
mod generations;
mod order;
mod pending;
mod record;
pub mod source;
mod storage;

pub use active::{Active, ActiveError, active, documents};
pub use configs::{Choose, Configs, FOLDER, Settled};
pub use files::{Disk, DiskError, Files};
pub use generation::{Generation, Name};
pub use generations::{
    Applied, Effect, Entry, Generations, KEEP, LoadError, Loaded, PassedOver, SaveError, State,
};
pub use pending::Moment;
pub use record::{Mode, Record};
pub use storage::Storage;
