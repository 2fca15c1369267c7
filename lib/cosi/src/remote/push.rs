//! Bringing our controllers' outputs to the other side: what is here against what is there, one call per difference.
//!
//! Level-triggered: a key is looked at again whenever either side changes or a call about it failed, so no order of
//! answers and events can leave a difference behind.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use store::{Change, DirtySink, Entry, Phase, Reference, Resource, Revision};
use tokio::sync::Notify;

use crate::wire::{Client, ClientError};

/// How many calls are under way at once: enough to hide the way there and back, few enough for a small server.
const CALLS: usize = 16;

/// Keys whose local version may differ from upstream's.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    keys: Mutex<BTreeSet<Reference>>,
    notify: Notify,
}

impl Outbox {
    pub(crate) fn add(&self, keys: impl IntoIterator<Item = Reference>) {
        let mut held = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend(keys);
        if !held.is_empty() {
            self.notify.notify_one();
        }
    }

    pub(crate) fn take(&self) -> BTreeSet<Reference> {
        std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) async fn filled(&self) {
        self.notify.notified().await;
    }
}

/// Fills the outbox from inside the local store's commits.
pub(crate) struct OutboxSink(pub(crate) Arc<Outbox>);

impl DirtySink for OutboxSink {
    fn mark(&self, _: Revision, change: &Change) {
        self.0.add([change.reference()]);
    }
}

/// One call that makes upstream follow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Create(Resource),
    Update(Resource),
    Teardown(Reference, Arc<str>),
    Destroy(Reference, Arc<str>),
}

/// The call that brings upstream nearer to what is here; `None` when it is there, or must wait for someone to let go.
pub(crate) fn plan(here: Option<&Arc<Entry>>, there: Option<&Resource>) -> Option<Call> {
    let wanted = here.filter(|entry| entry.metadata.phase == Phase::Running);
    match (wanted, there) {
        (None, None) => None,
        (Some(entry), None) => Some(Call::Create(fresh(entry))),
        (Some(entry), Some(there)) if there.metadata.phase == Phase::Running => {
            let same = there.spec.proto() == entry.spec.proto()
                && there.metadata.labels == entry.metadata.labels;
            (!same).then(|| {
                let mut resource = there.clone();
                resource.spec = entry.spec.clone();
                resource.metadata.labels = entry.metadata.labels.clone();
                Call::Update(resource)
            })
        }
        // Not wanted, or a generation that must go before the next can come.
        (_, Some(there)) => {
            let (reference, owner) = (there.reference(), Arc::clone(&there.metadata.owner));
            match (there.metadata.finalizers.is_empty(), there.metadata.phase) {
                (true, _) => Some(Call::Destroy(reference, owner)),
                (false, Phase::Running) => Some(Call::Teardown(reference, owner)),
                (false, Phase::TearingDown) => None,
            }
        }
    }
}

/// The resource as it is created there: nothing of its local history.
fn fresh(entry: &Entry) -> Resource {
    let mut resource = entry.resource.clone();
    resource.metadata.version = store::Version::UNDEFINED;
    resource.metadata.finalizers = store::Finalizers::default();
    resource
}

/// How a call went.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reference: Reference,
    pub(crate) result: Result<Told, ClientError>,
}

/// What a call has made of the resource upstream.
#[derive(Debug)]
pub(crate) enum Told {
    Stored(Box<Resource>),
    Gone,
    /// It has changed; the watch tells how.
    Changed,
}

/// Makes the calls, several at a time, and gathers all answers.
pub(crate) async fn perform(client: Client, calls: Vec<Call>) -> Vec<Answer> {
    stream::iter(calls)
        .map(|call| perform_one(client.clone(), call))
        .buffered(CALLS)
        .collect()
        .await
}

async fn perform_one(client: Client, call: Call) -> Answer {
    let (reference, result) = match call {
        Call::Create(resource) => {
            let created = client.create(&resource, &resource.metadata.owner).await;
            (
                resource.reference(),
                created.map(|stored| Told::Stored(Box::new(stored))),
            )
        }
        Call::Update(resource) => {
            let owner = &resource.metadata.owner;
            let updated = client.update(&resource, owner, Some(Phase::Running)).await;
            (
                resource.reference(),
                updated.map(|stored| Told::Stored(Box::new(stored))),
            )
        }
        Call::Teardown(reference, owner) => {
            let torn_down = client.teardown(&reference, &owner).await;
            (reference, torn_down.map(|_| Told::Changed))
        }
        Call::Destroy(reference, owner) => {
            let destroyed = client.destroy(&reference, &owner).await;
            (reference, destroyed.map(|()| Told::Gone))
        }
    };
    Answer { reference, result }
}

#[cfg(test)]
mod tests;
