//! How a worker becomes a node of its cluster: it makes its keys, and a control plane issues certificates for them.
//!
//! ```text
//! worker                                    control plane
//! apply: keys, plan --ask--> 50000/tcp -->  desk: judge (token, challenge, name, address), names (whose name it is), issue
//!    |                                         every answer and every refusal is in the audit record of its call
//!    +--> Joined: the API's port and the kubelet's files take the certificates from there
//! ```
//!
//! Nothing that the worker says is taken on trust but the two things it proves: that it holds its keys, and where it calls from. A
//! name belongs to the key that had it first, and the cluster remembers that: see `names`.

pub mod apply;
mod ask;
mod binding;
mod desk;
mod guesses;
mod judge;
mod kept;
mod names;
mod plan;
mod refusal;

use std::sync::{Arc, Mutex, PoisonError};

use pki::Identity;

pub use desk::Desk;
pub use names::{InCluster, Names};
pub use refusal::Refusal;

/// The condition that a worker has its certificates.
pub const JOIN: &str = "join";

/// Where the key of a worker is kept, below the node's STATE, and what is of this boot alone, below its folder in memory.
pub const FOLDER: &str = "join";

/// What a request for the certificate of the node's API is for.
const MACHINE: &str = "machine";
/// The same of the kubelet as a client.
const KUBELET: &str = "kubelet";
/// The same of the kubelet as a server.
const KUBELET_SERVING: &str = "kubelet-serving";

/// What a worker has.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// For the node's API: good for its name, in the eyes of its cluster.
    pub machine: Option<Identity>,
    /// For the kubelet.
    pub kubelet: Option<Kubelet>,
}

/// The certificates of a kubelet.
#[derive(Clone, Debug)]
pub struct Kubelet {
    /// What it asks the API with.
    pub client: Identity,
    /// What it answers with.
    pub serving: Identity,
}

/// Where those are who show them find the worker's certificates. The condition [`JOIN`] changes whenever they do.
#[derive(Clone, Debug, Default)]
pub struct Joined(Arc<Mutex<Held>>);

impl Joined {
    /// What the worker has; nothing before it has joined.
    #[must_use]
    pub fn get(&self) -> Held {
        self.slot().clone()
    }

    pub(crate) fn set(&self, held: Held) {
        *self.slot() = held;
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Held> {
        // Replaced as a whole, so it is whole whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
