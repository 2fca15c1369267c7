//! The local copy of another store's kinds, and of what that store holds of ours.
//!
//! Pure but for the commit into the local store. A resource is ours when one of our controllers, or our runtime, owns
//! it: then the local store is the truth and upstream's version is only noted. Everything else is copied as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use store::{Op, Phase, Reference, Resource, Store, Transaction};

use super::Kind;
use crate::wire::WireEvent;

/// The local copy.
#[derive(Debug)]
pub(crate) struct Mirror {
    store: Store,
    upstream: Arc<str>,
    /// The inputs, which are copied.
    inputs: BTreeSet<Kind>,
    /// The names that make a resource ours.
    owners: BTreeSet<Arc<str>>,
    /// What upstream holds of ours.
    pub(crate) ours: BTreeMap<Reference, Resource>,
}

impl Mirror {
    pub(crate) fn new(
        store: Store,
        upstream: Arc<str>,
        inputs: BTreeSet<Kind>,
        owners: BTreeSet<Arc<str>>,
    ) -> Self {
        Self {
            store,
            upstream,
            inputs,
            owners,
            ours: BTreeMap::new(),
        }
    }

    pub(crate) fn is_ours(&self, owner: &str) -> bool {
        self.owners.contains(owner)
    }

    /// Takes the whole contents of all kinds. What is not in them disappears only with proof: when upstream had settled
    /// before they were read.
    pub(crate) fn begin(&mut self, contents: Vec<Resource>, proof: bool, now: Timestamp) {
        self.ours.clear();
        let mut ops = Vec::new();
        let mut present = BTreeSet::new();
        for resource in contents {
            let reference = resource.reference();
            if self.is_ours(&resource.metadata.owner) {
                self.ours.insert(reference, resource);
            } else if self.is_input(&reference) {
                present.insert(reference);
                ops.push(Op::Mirror(resource));
            }
        }
        if proof {
            let snapshot = self.store.snapshot();
            for kind in &self.inputs {
                let gone = snapshot
                    .list(kind.namespace, kind.ty)
                    .filter(|entry| !self.is_ours(&entry.metadata.owner))
                    .map(|entry| entry.reference())
                    .filter(|reference| !present.contains(reference));
                ops.extend(gone.map(Op::Unmirror));
            }
        }
        self.commit(ops, now);
    }

    /// Takes what upstream has of ours back into the local store, where it is not said anew: done once, before the
    /// controllers first run.
    pub(crate) fn adopt(&self, runtime: &str, now: Timestamp) {
        let snapshot = self.store.snapshot();
        let left = self.ours.values().filter(|resource| {
            &*resource.metadata.owner != runtime
                && resource.metadata.phase == Phase::Running
                && snapshot.find(&resource.reference()).is_none()
        });
        let ops = left.map(|resource| {
            let mut resource = resource.clone();
            // Who holds it upstream is not known here, and is looked at there when it is removed.
            resource.metadata.finalizers = store::Finalizers::default();
            Op::Mirror(resource)
        });
        self.commit(ops.collect(), now);
    }

    /// Takes one batch of changes, in one commit; returns which of ours are different upstream now.
    pub(crate) fn change(&mut self, events: Vec<WireEvent>, now: Timestamp) -> Vec<Reference> {
        let mut ops = Vec::new();
        let mut touched = Vec::new();
        for event in events {
            let (resource, gone) = match event {
                WireEvent::Created(resource) | WireEvent::Updated { new: resource, .. } => {
                    (resource, false)
                }
                WireEvent::Destroyed(resource) => (resource, true),
                WireEvent::Bootstrapped | WireEvent::Errored(_) | WireEvent::Noop => continue,
            };
            let reference = resource.reference();
            if self.is_ours(&resource.metadata.owner) {
                self.note(resource, gone);
                touched.push(reference);
            } else if self.is_input(&reference) {
                ops.push(match gone {
                    true => Op::Unmirror(reference),
                    false => Op::Mirror(resource),
                });
            }
        }
        self.commit(ops, now);
        touched
    }

    /// Notes what upstream holds of ours. What it says late, about a version that was written over since, is not news.
    pub(crate) fn note(&mut self, resource: Resource, gone: bool) {
        let reference = resource.reference();
        let known = self
            .ours
            .get(&reference)
            .map(|known| known.metadata.version);
        if known.is_some_and(|known| known > resource.metadata.version) {
            return;
        }
        if gone {
            self.ours.remove(&reference);
        } else {
            self.ours.insert(reference, resource);
        }
    }

    fn is_input(&self, reference: &Reference) -> bool {
        self.inputs
            .iter()
            .any(|kind| *kind.namespace == *reference.namespace && *kind.ty == *reference.ty)
    }

    fn commit(&self, ops: Vec<Op>, now: Timestamp) {
        let snapshot = self.store.snapshot();
        let mut transaction =
            Transaction::new(Arc::clone(&self.upstream)).caused_outside("mirrored from upstream");
        for op in ops {
            // What one of our controllers has said under the same id stays: the local store is the truth for that.
            let stored = snapshot.find(&op.reference());
            if stored.is_none_or(|stored| !self.is_ours(&stored.metadata.owner)) {
                transaction.push(op);
            }
        }
        if let Err(error) = self.store.commit(transaction, now) {
            // A copy is refused only when it contradicts itself; the others in the batch must not wait for it.
            tracing::error!(%error, "mirrored resources refused");
        }
    }
}
