//! Local clusters in QEMU, without root.
//!
//! Every cluster is a folder and a few QEMU processes: one without devices that is the network (a hub with one port per
//! machine and one way out), and one per machine. What a process is started with is computed by pure functions
//! ([`argv`]); what exists is in the folder's `state.json`, written before anything it describes exists, so that
//! [`Clusters::destroy`] can clean up after a creator that died at any point.
//!
//! Everything here is synchronous and bounded by a [`Deadline`]; an async caller puts it on a blocking thread. This
//! crate knows the files of an image ([`image`]) and the lines on a console ([`console`]), and nothing of the API.

pub mod accel;
pub mod argv;
pub mod cluster;
pub mod clusters;
pub mod console;
mod deadline;
pub mod disk;
pub mod fence;
pub mod folder;
pub mod host;
pub mod image;
mod launch;
mod lease;
pub mod name;
pub mod process;
pub mod qmp;
pub mod room;
pub mod spec;
pub mod state;
pub mod switch;
mod wire;

pub use accel::Accel;
pub use cluster::{Cluster, ClusterError};
pub use clusters::{Clusters, Destroyed};
pub use console::{Console, Facts, Pairing};
pub use deadline::Deadline;
pub use host::Host;
pub use image::{Image, Medium};
pub use name::Name;
pub use room::Room;
pub use spec::{Boot, Bus, ClusterSpec, Disk, Nic, OwnDisk, Serial, VmSpec};
