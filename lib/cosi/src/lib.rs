//! The controller runtime and the COSI wire, on store.
//!
//! A controller says in its type what it reads and writes ([`declare!`]), and turns what is into what should be
//! ([`Controller`], or [`Transform`] when it has no effects). A [`Runtime`] runs controllers on a store of this process,
//! [`remote::RemoteRuntime`] on that of another one, over the wire ([`wire`]). No error of a controller is fatal to
//! either; no wake-up is lost (`board` holds the argument).
//!
//! A controller without effects is a function from all inputs to all outputs:
//!
//! ```
//! use cosi::status::{ControllerStatus, RunState, RuntimeStatus};
//! use cosi::store::Store;
//! use cosi::{Error, Outcome, Outputs, Runtime, Transform, View};
//!
//! /// Settled means here that no controller has failed.
//! struct Health;
//!
//! cosi::declare! {
//!     Health as "runtime.health" {
//!         reads ControllerStatus;
//!         writes RuntimeStatus: "health";
//!     }
//! }
//!
//! impl Transform for Health {
//!     fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
//!         let all = view.list::<ControllerStatus>();
//!         let settled = all.iter().all(|status| status.spec.state != RunState::Failed);
//!         out.put("node", RuntimeStatus { epoch: 0, settled });
//!         Ok(Outcome::Done)
//!     }
//! }
//!
//! let mut runtime = Runtime::new("machined", Store::new(1));
//! runtime.register(Health)?;
//! # Ok::<(), cosi::RegisterError>(())
//! ```
//!
//! Never here: what the product's resources are (`lib/resources`), who may call (`wire::Access` is asked), sockets and
//! certificates.

mod backoff;
mod board;
mod clock;
mod controller;
mod counters;
mod cx;
mod declare;
mod dirty;
mod error;
mod graph;
pub mod remote;
mod runtime;
mod shared;
mod stage;
pub mod status;
mod task;
mod trigger;
pub mod wire;

pub use clock::{Clock, SystemClock};
pub use controller::{Controller, Outcome, Source, Transform};
pub use counters::{ControllerCounts, Counters};
pub use cx::{Cx, Outputs, Put, Undeclared, View};
pub use declare::{Declare, Holds, Input, InputKind, Output, OutputKind, Reads, Writes};
pub use dirty::Dirty;
pub use error::{Error, report};
pub use graph::{Edge, Graph, Node, RegisterError};
pub use remote::RemoteRuntime;
pub use runtime::{Rest, Runtime, Stopped};
pub use store;
pub use trigger::Trigger;
