//! Which version of each part of Kubernetes this node runs: what its config asks for, in the order that Kubernetes' rules of version
//! skew ask for.
//!
//! ```text
//! config, record, what API servers say -> plan -> KubernetesRelease -> static pods, kubelet
//! ```
//!
//! A node has one version in its config, and its API server goes along with that at once. Its kubelet, controller manager and scheduler
//! reach API servers of other nodes as well, and of their own one the former version until it is another one: so they go on as what
//! they were until no API server is older than what they are to be. What they were is kept on the disk, since a node may start with
//! a new config and no API server in reach.

pub mod check;
pub mod config;
pub mod plan;
pub mod record;
