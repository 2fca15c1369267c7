//! The VM suite: real images, real kernels, the path that people take.
//!
//! A test makes a [`Lab`] (folders of its own, no trace of the user's), in it a cluster, and drives it with the real
//! `osctl`. Machines are few at a time ([`slots`]), waits are bounded and scaled by how machines run, and a test that
//! fails prints the end of every console. `cargo xtask e2e` builds what is needed and says where it is
//! ([`places`]); without that every test fails, since a test that cannot run must not look like one that passed.

pub mod agent;
pub mod collector;
mod cpio;
pub mod health;
pub mod kubectl;
pub mod lab;
mod limited;
pub mod loss;
pub mod node;
pub mod numbered;
pub mod osctl;
pub mod places;
pub mod powercut;
pub mod seed;
pub mod services;
pub mod slots;
pub mod terminal;
pub mod volumes;
pub mod web;

pub use agent::Agent;
pub use kubectl::Kubectl;
pub use lab::Lab;
pub use node::{Keyboard, Node, Since};
pub use numbered::Numbered;
pub use osctl::{Running, Said};
pub use powercut::{Cut, Recorded};
pub use terminal::Terminal;
pub use web::Web;
