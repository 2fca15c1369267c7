//! A runtime in one process on the state of another, over the wire.
//!
//! It keeps a mirror of the inputs its controllers declare in a store of its own, runs the same controllers on that,
//! and brings their outputs to the other side. Three parts:
//!
//! ```text
//!   upstream --watches--> mirror --commits--> local store <--runs-- Runtime (controllers)
//!      ^                                          |
//!      +------------------- push <----- outbox ---+
//! ```
//!
//! The local store is the truth for what the controllers here own, the upstream one for everything else. Either side
//! may be restarted at any time:
//! - While upstream is away, controllers go on with the mirror as it was. A new upstream that has not settled adds to
//!   the mirror and changes it, but nothing disappears from it for not being there; only leave to delete is withdrawn.
//! - After a restart of this process the first connection brings back what its controllers had written before, so they
//!   can go on from there, and only then do they run.
//!
//! Tasks: everything here runs inside the future of [`RemoteRuntime::run`]; dropping it ends all of it at an await
//! point. Upstream sees each write whole or not at all.

mod batches;
mod bridge;
mod link;
mod mirror;
mod push;
mod session;

use std::fmt;
use std::sync::Arc;

use store::Store;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::controller::Controller;
use crate::graph::{Graph, RegisterError};
use crate::runtime::{Rest, Runtime, Stopped};
use crate::trigger::Trigger;
use crate::wire::Client;
use bridge::Bridge;
use link::Link;

/// Controllers on the state of another process, ready to run.
#[derive(Debug)]
pub struct RemoteRuntime {
    runtime: Runtime,
    client: Client,
    upstream: Arc<str>,
}

impl RemoteRuntime {
    /// A runtime without controllers. `name` is its own: the owner of its statuses. `upstream` is the name of the
    /// runtime on the other side, whose coming to rest gives leave to delete.
    pub fn new(name: impl Into<Arc<str>>, upstream: impl Into<Arc<str>>, client: Client) -> Self {
        // The store lives and dies with this process, and nobody resumes its watches.
        let store = Store::new(0);
        Self {
            runtime: Runtime::remote(name.into(), store),
            client,
            upstream: upstream.into(),
        }
    }

    /// The same with another clock; to be called before controllers are registered.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.runtime = self.runtime.with_clock(clock);
        self
    }

    /// Adds a controller.
    ///
    /// # Errors
    /// As [`Runtime::register`]; a controller that holds inputs is refused too.
    pub fn register<C: Controller>(&mut self, controller: C) -> Result<Trigger, RegisterError> {
        self.runtime.register(controller)
    }

    /// The controllers and the kinds between them.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        self.runtime.graph()
    }

    /// Tells whether the runtime is at rest, also while it runs. What it has written may still be on its way.
    #[must_use]
    pub fn rest(&self) -> Rest {
        self.runtime.rest()
    }

    /// Runs all controllers until `stop` is ready, connecting again and again for as long as that takes.
    ///
    /// Cancelling: dropping the future stops them as `stop` does.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Stopped {
        let (first, connected) = oneshot::channel();
        let bridge = Bridge::new(&self.runtime, self.client, self.upstream);
        let link = Link::new(bridge, first);
        let controllers = async {
            // Fails only when the link is gone, and it is never.
            if connected.await.is_ok() {
                self.runtime.run(std::future::pending()).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = stop => Stopped,
            stopped = Box::pin(link.run()) => stopped,
            () = controllers => Stopped,
        }
    }
}

/// What a link needs to know of its runtime's graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) namespace: &'static str,
    pub(crate) ty: &'static str,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.ty, self.namespace)
    }
}
