//! The connection to the other side: one session after another, for ever.
//!
//! A session reads upstream's own status first, then opens all watches and takes their contents, then lives from events
//! until something breaks or upstream's status changes. The order matters: contents read after a status that said
//! "settled" hold everything that was there at that moment, so what is not in them is proven absent. An event
//! "settled" on its own watch proves nothing, as other watches may lag behind it; it ends the session, and the next one
//! begins with that knowledge.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::SelectAll;
use futures_util::{Stream, StreamExt, stream};
use store::{Matcher, Reference, Resource, Spec, Subscription, Typed};
use tokio::sync::oneshot;

use super::Kind;
use super::mirror::Mirror;
use super::push::{Outbox, OutboxSink};
use super::session::Session;
use crate::backoff::Backoff;
use crate::error::report;
use crate::runtime::{Runtime, Shared, Stopped};
use crate::status::{self, ControllerStatus, RuntimeStatus};
use crate::wire::{Client, ClientError, Watch, WatchStream, WireEvent};

/// The longest pause between two attempts to connect: upstream is on the same machine, and its return is awaited.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What one watch said at once, or why it broke; the last item is an error.
pub(crate) type Batches = Pin<Box<dyn Stream<Item = Result<Vec<WireEvent>, End>> + Send>>;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// Upstream's status is another one now.
    #[error("upstream has another status")]
    News,
    /// A call failed.
    #[error("the connection broke")]
    Broken(#[source] ClientError),
    /// A watch ended.
    #[error("upstream ended a watch")]
    Ended,
    /// A watch failed on the other side.
    #[error("upstream's watch failed: {0}")]
    Errored(String),
}

/// What an end is to whoever reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// A session that stood is over.
    Lost,
    /// Nobody answers: upstream is not up yet, or still away.
    Away,
    /// Somebody answers, but not as upstream should.
    Wrong,
}

impl Notice {
    fn of(stood: bool, end: &End) -> Self {
        match end {
            _ if stood => Self::Lost,
            End::Broken(error) if error.is_unreachable() => Self::Away,
            _ => Self::Wrong,
        }
    }
}

/// Upstream's own word on itself; `None` when it has not said anything yet.
pub(crate) type Upstream = Option<RuntimeStatus>;

pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Client,
    upstream: Arc<str>,
    kinds: BTreeSet<Kind>,
    pub(crate) mirror: Mirror,
    pub(crate) outbox: Arc<Outbox>,
    /// Fill the outbox as long as they live.
    _subscriptions: Vec<Subscription>,
    /// Told once, when the controllers may run.
    first: Option<oneshot::Sender<()>>,
    /// Whether upstream is away and the log says so.
    away: bool,
}

impl Link {
    pub(crate) fn new(
        runtime: &Runtime,
        client: Client,
        upstream: Arc<str>,
        first: oneshot::Sender<()>,
    ) -> Self {
        let shared = Arc::clone(runtime.shared());
        let nodes = runtime.graph().nodes();
        let kind = |namespace, ty| Kind { namespace, ty };
        let inputs: BTreeSet<Kind> = nodes
            .iter()
            .flat_map(|node| node.inputs)
            .map(|input| kind(input.namespace, input.ty))
            .collect();
        let mut outputs: BTreeSet<Kind> = nodes
            .iter()
            .flat_map(|node| node.outputs)
            .map(|output| kind(output.namespace, output.ty))
            .collect();
        outputs.insert(kind(status::NAMESPACE, ControllerStatus::DEFINITION.ty));
        let mut owners: BTreeSet<Arc<str>> =
            nodes.iter().map(|node| Arc::from(node.name)).collect();
        owners.insert(Arc::clone(&shared.name));
        let outbox = Arc::<Outbox>::default();
        let subscriptions = outputs
            .iter()
            .map(|kind| {
                let sink = Arc::new(OutboxSink(Arc::clone(&outbox)));
                let matcher = Matcher::of_kind(kind.namespace, kind.ty);
                shared.store.subscribe(matcher, sink)
            })
            .collect();
        let mut kinds: BTreeSet<Kind> = inputs.union(&outputs).cloned().collect();
        kinds.insert(kind(status::NAMESPACE, RuntimeStatus::DEFINITION.ty));
        let mirror = Mirror::new(shared.store.clone(), Arc::clone(&upstream), inputs, owners);
        Self {
            shared,
            client,
            upstream,
            kinds,
            mirror,
            outbox,
            _subscriptions: subscriptions,
            first: Some(first),
            away: false,
        }
    }

    /// Never ends by itself.
    pub(crate) async fn run(mut self) -> Stopped {
        let mut backoff = Backoff::default();
        loop {
            let (stood, end) = self.session(&mut backoff).await;
            self.shared.board.set_leave(false);
            if matches!(end, End::News) {
                tracing::debug!("upstream has another status, reading all of it again");
                continue;
            }
            let pause = backoff.fail().min(LONGEST_PAUSE);
            self.tell(Notice::of(stood, &end), &end, pause);
            tokio::time::sleep(pause).await;
        }
    }

    /// Says once that upstream is gone, or not there yet. It starts at the same time as we do, so waiting for it is no
    /// reason for a warning.
    fn tell(&mut self, notice: Notice, end: &End, pause: Duration) {
        let (upstream, error) = (&*self.upstream, report(end));
        match notice {
            Notice::Lost => tracing::warn!(upstream, error, ?pause, "upstream lost"),
            Notice::Wrong => tracing::warn!(upstream, error, ?pause, "no session with upstream"),
            Notice::Away if self.away => tracing::debug!(upstream, error, ?pause, "still waiting"),
            Notice::Away => tracing::info!(upstream, error, "waiting for upstream"),
        }
        self.away = notice != Notice::Wrong;
    }

    /// One session, from the first call to its end; whether it came to stand.
    async fn session(&mut self, backoff: &mut Backoff) -> (bool, End) {
        let opened = self.open().await;
        let (upstream, mut batches) = match opened {
            Ok(opened) => opened,
            Err(end) => return (false, end),
        };
        backoff.reset();
        let settled = upstream.as_ref().is_some_and(|status| status.settled);
        tracing::info!(settled, "upstream connected");
        self.shared.board.set_leave(settled);
        if let Some(first) = self.first.take() {
            // Nobody listens only when the runtime is being dropped.
            first.send(()).ok();
        }
        let end = Session::new(self, upstream).run(&mut batches).await;
        (true, end)
    }

    /// Reads upstream's status, opens all watches and takes their contents.
    async fn open(&mut self) -> Result<(Upstream, SelectAll<Batches>), End> {
        let status = self.client.get_as(status::NAMESPACE, &self.upstream).await;
        let upstream: Upstream = match status {
            Ok(typed) => Some(RuntimeStatus::clone(&typed.spec)),
            Err(ClientError::NotFound(_)) => None,
            Err(error) => return Err(End::Broken(error)),
        };
        let watch = Watch {
            contents: true,
            aggregated: true,
            ..Watch::default()
        };
        let mut batches = SelectAll::new();
        for kind in &self.kinds {
            let opened = self.client.watch(kind.namespace, kind.ty, &watch).await;
            batches.push(in_batches(opened.map_err(End::Broken)?));
        }
        let contents = self.contents(&mut batches).await?;
        if contents.iter().any(|found| self.is_news(found, &upstream)) {
            return Err(End::News);
        }
        let now = self.shared.clock.now();
        let settled = upstream.as_ref().is_some_and(|status| status.settled);
        self.mirror.begin(contents, settled, now);
        if self.first.is_some() {
            self.mirror.adopt(&self.shared.name, now);
        }
        self.outbox.add(self.everything());
        Ok((upstream, batches))
    }

    /// Whether the resource is upstream's status, and says something else than what the session began with.
    pub(crate) fn is_news(&self, resource: &Resource, known: &Upstream) -> bool {
        Typed::<RuntimeStatus>::from_resource(resource)
            .filter(|status| *status.id() == *self.upstream)
            .is_some_and(|status| known.as_ref() != Some(&*status.spec))
    }

    /// Everything of ours, here and there.
    fn everything(&self) -> Vec<Reference> {
        let snapshot = self.shared.store.snapshot();
        let here = self
            .kinds
            .iter()
            .flat_map(|kind| snapshot.list(kind.namespace, kind.ty))
            .filter(|entry| self.mirror.is_ours(&entry.metadata.owner))
            .map(|entry| entry.reference());
        here.chain(self.mirror.ours.keys().cloned()).collect()
    }

    /// Reads until every watch has said that its contents are complete. A watch that was first may go on telling
    /// changes meanwhile; they are taken in.
    async fn contents(&self, batches: &mut SelectAll<Batches>) -> Result<Vec<Resource>, End> {
        let mut contents = BTreeMap::new();
        let mut open = self.kinds.len();
        while open > 0 {
            for event in batches.next().await.ok_or(End::Ended)?? {
                match event {
                    WireEvent::Bootstrapped => open -= 1,
                    WireEvent::Created(resource) | WireEvent::Updated { new: resource, .. } => {
                        contents.insert(resource.reference(), resource);
                    }
                    WireEvent::Destroyed(resource) => {
                        contents.remove(&resource.reference());
                    }
                    WireEvent::Errored(_) | WireEvent::Noop => {}
                }
            }
        }
        Ok(contents.into_values().collect())
    }
}

/// A watch as a stream of what it has told at once; everything that was received together is committed together.
fn in_batches(watch: WatchStream) -> Batches {
    let batches = stream::unfold(Some(watch), |watch| async move {
        let mut watch = watch?;
        match batch(&mut watch).await {
            Ok(events) => Some((Ok(events), Some(watch))),
            Err(end) => Some((Err(end), None)),
        }
    });
    Box::pin(batches)
}

async fn batch(watch: &mut WatchStream) -> Result<Vec<WireEvent>, End> {
    let mut told = watch.next().await.map_err(End::Broken)?.ok_or(End::Ended)?;
    let mut events = Vec::new();
    loop {
        if let WireEvent::Errored(reason) = told.event {
            return Err(End::Errored(reason));
        }
        events.push(told.event);
        match watch.received().map_err(End::Broken)? {
            Some(more) => told = more,
            None => return Ok(events),
        }
    }
}

#[cfg(test)]
mod tests {
    use store::Registry;
    use tonic::Status;

    use super::*;
    use crate::wire::unix;

    fn broken(status: Status) -> End {
        End::Broken(ClientError::Call {
            method: "get",
            status: Box::new(status),
        })
    }

    /// How a call over the socket ends.
    async fn end(socket: &std::path::Path) -> End {
        let client = Client::new(unix(socket), Arc::new(Registry::new()));
        let answer = client
            .get_as::<RuntimeStatus>(status::NAMESPACE, "upstream")
            .await;
        End::Broken(answer.expect_err("nobody is there"))
    }

    #[tokio::test]
    async fn a_socket_that_nobody_serves_yet_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing.sock");
        assert_eq!(Notice::of(false, &end(&missing).await), Notice::Away);
        // Left by an upstream that is gone.
        let left = folder.path().join("left.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).expect("bound"));
        assert_eq!(Notice::of(false, &end(&left).await), Notice::Away);
    }

    #[test]
    fn a_loss_and_a_refusal_are_told_apart_from_waiting() {
        let gone = broken(Status::unavailable("gone"));
        assert_eq!(Notice::of(true, &gone), Notice::Lost);
        assert_eq!(Notice::of(true, &End::Ended), Notice::Lost);
        let refused = broken(Status::permission_denied("not you"));
        assert_eq!(Notice::of(false, &refused), Notice::Wrong);
    }
}
