//! The nodes of the cluster: what it says of them, what the config says of the own one, and what follows for pods.

mod ask;
mod cordon;
pub mod drain;
mod evict;
mod follow;
mod keep;
mod known;
pub mod network;
pub mod object;
mod objects;
mod owned;
mod pod;
pub mod pods;
pub mod routes;
pub mod status;
