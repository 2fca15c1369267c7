//! The runtime: registers controllers on a store, and runs each in a task of its own until it is stopped.
//!
//! Tasks: one per controller (`task`), which ends only with the runtime, and one that reports rest. All live in one
//! `JoinSet` that [`Runtime::run`] owns, so dropping its future ends them at their next await point; a run that is cut
//! off there has committed nothing. No error of a controller ends any of them.
//!
//! Given a current-thread tokio runtime, paused time and a fixed clock, the order of runs is always the same.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use store::{Matcher, Resource, Store, Subscription, Transaction};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::board::{Board, InputSink, PeerSink, ReleasedSink};
use crate::clock::{Clock, SystemClock};
use crate::controller::Controller;
use crate::counters::Counters;
use crate::declare::InputKind;
use crate::graph::{Graph, Node, RegisterError};
use crate::shared::Shared;
use crate::status::{self, RuntimeStatus};
use crate::task::Task;
use crate::trigger::Trigger;

type TaskFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The runtime was stopped; the only way it ends. No controller sees it as a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Controllers on a store, ready to run.
pub struct Runtime {
    shared: Arc<Shared>,
    graph: Graph,
    tasks: Vec<(&'static str, TaskFuture)>,
    /// Marks arrive as long as these live.
    subscriptions: Vec<Subscription>,
    /// Whether it serves a store of another process.
    remote: bool,
}

impl Runtime {
    /// A runtime without controllers. The name is the owner and the id of its [`RuntimeStatus`].
    pub fn new(name: impl Into<Arc<str>>, store: Store) -> Self {
        Self::build(name.into(), store, false)
    }

    pub(crate) fn remote(name: Arc<str>, store: Store) -> Self {
        Self::build(name, store, true)
    }

    fn build(name: Arc<str>, store: Store, remote: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                name,
                store,
                board: Arc::new(Board::new(!remote)),
                clock: Arc::new(SystemClock),
            }),
            graph: Graph::default(),
            tasks: Vec::new(),
            subscriptions: Vec::new(),
            remote,
        }
    }

    /// The same with another clock; to be called before controllers are registered.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        let shared = &self.shared;
        self.shared = Arc::new(Shared {
            name: Arc::clone(&shared.name),
            store: shared.store.clone(),
            board: Arc::clone(&shared.board),
            clock: Arc::new(clock),
        });
        self
    }

    /// Does not settle before the runtime of this name, in another process, has settled in the same epoch: what it
    /// writes is as good as absent until then.
    pub fn await_peer(&mut self, name: &str) {
        let board = &self.shared.board;
        board.await_peer(name);
        let sink = PeerSink {
            board: Arc::clone(board),
            epoch: self.shared.store.epoch(),
        };
        let matcher = Matcher::of_kind(status::NAMESPACE, ty::<RuntimeStatus>()).id(name);
        let subscription = self.shared.store.subscribe(matcher, Arc::new(sink));
        self.subscriptions.push(subscription);
    }

    /// Adds a controller.
    ///
    /// # Errors
    /// When its name is taken or one of its outputs has another writer; nothing of it is registered then.
    pub fn register<C: Controller>(&mut self, controller: C) -> Result<Trigger, RegisterError> {
        let strong = C::INPUTS.iter().find(|i| i.kind == InputKind::Strong);
        if let (true, Some(input)) = (self.remote, strong) {
            return Err(RegisterError::RemoteHold {
                name: C::NAME,
                ty: input.ty,
            });
        }
        self.graph.add(Node::of::<C>())?;
        let (shared, board) = (&self.shared, &self.shared.board);
        let (slot, wake) = board.add(C::NAME);
        for input in C::INPUTS {
            let sink = InputSink {
                board: Arc::clone(board),
                slot,
            };
            let matcher = Matcher::of_kind(input.namespace, input.ty);
            let subscription = shared.store.subscribe(matcher, Arc::new(sink));
            self.subscriptions.push(subscription);
        }
        for output in C::OUTPUTS {
            let sink = ReleasedSink {
                board: Arc::clone(board),
                slot,
                owner: C::NAME,
            };
            let matcher = Matcher::of_kind(output.namespace, output.ty);
            let subscription = shared.store.subscribe(matcher, Arc::new(sink));
            self.subscriptions.push(subscription);
        }
        let task = Task::new(controller, Arc::clone(shared), slot, wake);
        self.tasks.push((C::NAME, Box::pin(task.run())));
        Ok(Trigger {
            board: Arc::clone(board),
            slot,
        })
    }

    /// The controllers and the kinds between them.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Tells whether the runtime is at rest, also while it runs.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest {
            board: Arc::clone(&self.shared.board),
            names: self.graph.nodes().iter().map(|node| node.name).collect(),
        }
    }

    /// Counts what the controllers do, also while they run.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            board: Arc::clone(&self.shared.board),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Runs all controllers until `stop` is ready.
    ///
    /// Cancelling: dropping the future stops them as `stop` does.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Stopped {
        let mut tasks = JoinSet::new();
        if !self.remote {
            let shared = Arc::clone(&self.shared);
            tasks.spawn(report_rest(shared));
        }
        for (name, task) in self.tasks {
            tasks.spawn(task.instrument(tracing::info_span!("controller", name)));
        }
        let ended = async {
            while let Some(ended) = tasks.join_next().await {
                // Runs are guarded, so this is a fault of the runtime itself; the others go on.
                if let Err(error) = ended {
                    tracing::error!(%error, "a controller's task has ended");
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = ended => {}
        }
        drop(self.subscriptions);
        Stopped
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("name", &self.shared.name)
            .field("graph", &self.graph)
            .finish_non_exhaustive()
    }
}

fn ty<S: store::Spec>() -> &'static str {
    S::DEFINITION.ty
}

/// Writes the runtime's status: unsettled at once, settled when rest is reached, and then never again.
async fn report_rest(shared: Arc<Shared>) {
    let mut rests = shared.board.rests();
    loop {
        let settled = shared.board.is_settled();
        let status = RuntimeStatus {
            epoch: shared.store.epoch(),
            settled,
        };
        let resource = Resource::in_default(&*shared.name, status);
        let transaction = Transaction::owned(Arc::clone(&shared.name)).put(resource);
        if let Err(error) = shared.store.commit(transaction, shared.clock.now()) {
            tracing::error!(%error, "runtime status refused");
        }
        if settled {
            return;
        }
        // Fails only when the board is gone, and this task holds it.
        if rests.changed().await.is_err() {
            return;
        }
    }
}

/// Tells whether a runtime is at rest.
#[derive(Clone, Debug)]
pub struct Rest {
    board: Arc<Board>,
    names: Arc<[&'static str]>,
}

impl Rest {
    /// Whether every controller has run well and has nothing left to do, right now.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.board.is_at_rest()
    }

    /// Whether that was so once since the start.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.board.is_settled()
    }

    /// Waits until the runtime is at rest. Cancelling it changes nothing.
    pub async fn reached(&self) {
        let mut rests = self.board.rests();
        while !self.board.is_at_rest() {
            if rests.changed().await.is_err() {
                return;
            }
        }
    }

    /// The controllers and peers that rest waits for.
    #[must_use]
    pub fn waits_for(&self) -> Vec<String> {
        self.board.restless(&self.names)
    }
}
