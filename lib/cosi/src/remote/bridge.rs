//! Both sides of a link and what is between them: the local store, what is known of upstream's, what is on its way.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::{Matcher, Reference, Resource, Spec, Subscription, Typed};

use super::Kind;
use super::mirror::Mirror;
use super::push::{Outbox, OutboxSink};
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::status::{self, ControllerStatus, RuntimeStatus};
use crate::wire::Client;

/// Upstream's own word on itself; `None` when it has not said anything yet.
pub(crate) type Upstream = Option<RuntimeStatus>;

/// What a link keeps from one session to the next.
pub(crate) struct Bridge {
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Client,
    pub(crate) upstream: Arc<str>,
    /// What is watched: the inputs, our outputs, the statuses.
    pub(crate) kinds: BTreeSet<Kind>,
    pub(crate) mirror: Mirror,
    pub(crate) outbox: Arc<Outbox>,
    /// Fill the outbox as long as they live.
    _subscriptions: Vec<Subscription>,
}

impl Bridge {
    pub(crate) fn new(runtime: &Runtime, client: Client, upstream: Arc<str>) -> Self {
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
        }
    }

    /// Whether the resource is upstream's status, and says something else than what the session began with.
    pub(crate) fn is_news(&self, resource: &Resource, known: &Upstream) -> bool {
        Typed::<RuntimeStatus>::from_resource(resource)
            .filter(|status| *status.id() == *self.upstream)
            .is_some_and(|status| known.as_ref() != Some(&*status.spec))
    }

    /// Everything of ours, here and there.
    pub(crate) fn everything(&self) -> Vec<Reference> {
        let snapshot = self.shared.store.snapshot();
        let here = self
            .kinds
            .iter()
            .flat_map(|kind| snapshot.list(kind.namespace, kind.ty))
            .filter(|entry| self.mirror.is_ours(&entry.metadata.owner))
            .map(|entry| entry.reference());
        here.chain(self.mirror.ours.keys().cloned()).collect()
    }
}
