//! Which nodes are the control plane, and that a node still knows it when it starts again.
//!
//! ```text
//! nodes of the cluster --> status --> who there is: the balancer, and a worker that asks for certificates
//!                            ^ |
//!                            | v   while no API server has answered yet
//!                        a file on STATE
//! ```
//!
//! What is remembered leads somewhere and proves nothing: whoever is found there has a certificate of the cluster, or is none of it.

mod kept;
pub mod status;
