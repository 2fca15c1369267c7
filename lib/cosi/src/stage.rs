//! What a run wants its outputs to be, and the transaction that makes them so.
//!
//! The plan is pure: staged wishes and a snapshot in, operations out. It is made anew against a fresh snapshot when the
//! commit finds the state has moved on under it (someone took or let go a finalizer), since the wishes stay the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use store::{Entry, Expect, Op, Phase, Reference, Resource, Snapshot, Spec};

use crate::declare::Output;

/// The staged wishes of one run.
#[derive(Debug)]
pub(crate) struct Stage {
    owner: &'static str,
    outputs: &'static [Output],
    wanted: BTreeMap<Reference, Option<Resource>>,
    replaced: BTreeSet<Output>,
    held: BTreeMap<Reference, bool>,
}

impl Stage {
    pub(crate) fn new(owner: &'static str, outputs: &'static [Output]) -> Self {
        Self {
            owner,
            outputs,
            wanted: BTreeMap::new(),
            replaced: BTreeSet::new(),
            held: BTreeMap::new(),
        }
    }

    pub(crate) fn put<S: Spec>(
        &mut self,
        namespace: &str,
        id: String,
        spec: S,
        labels: Vec<(String, String)>,
    ) {
        let mut resource = Resource::new(namespace, id, spec);
        resource.metadata.labels.extend(labels);
        self.wanted.insert(resource.reference(), Some(resource));
    }

    pub(crate) fn remove(&mut self, namespace: &str, ty: &str, id: &str) {
        self.wanted.insert(Reference::new(namespace, ty, id), None);
    }

    pub(crate) fn replace(&mut self, meant: impl Fn(&Output) -> bool) {
        self.replaced
            .extend(self.outputs.iter().filter(|output| meant(output)));
    }

    pub(crate) fn hold(&mut self, namespace: &str, ty: &str, id: &str) {
        self.held.insert(Reference::new(namespace, ty, id), true);
    }

    pub(crate) fn release(&mut self, namespace: &str, ty: &str, id: &str) {
        self.held.insert(Reference::new(namespace, ty, id), false);
    }

    pub(crate) fn staged<S: Spec>(&self) -> impl Iterator<Item = (&str, &S)> {
        self.wanted.iter().filter_map(|(reference, resource)| {
            let spec = resource.as_ref()?.spec::<S>()?;
            Some((&*reference.id, spec))
        })
    }

    /// The operations that turn what is stored into what is wanted; none when it is so already.
    pub(crate) fn plan(&self, snapshot: &Snapshot) -> Vec<Op> {
        let mut ops = Vec::new();
        for (reference, wanted) in &self.wanted {
            let stored = snapshot.find(reference);
            match (stored, wanted) {
                (None, None) => {}
                (None, Some(resource)) => ops.push(Op::Create(resource.clone())),
                (Some(stored), None) => self.drop_output(stored, &mut ops),
                (Some(stored), Some(resource)) => self.change_output(stored, resource, &mut ops),
            }
        }
        for output in self.outputs {
            let replaced = self.replaced.contains(output);
            let unnamed = snapshot
                .list(output.namespace, output.ty)
                .filter(|stored| &*stored.metadata.owner == self.owner)
                .filter(|stored| replaced || stored.metadata.phase == Phase::TearingDown)
                .filter(|stored| !self.wanted.contains_key(&stored.reference()));
            for stored in unnamed {
                self.drop_output(stored, &mut ops);
            }
        }
        for (reference, hold) in &self.held {
            let (reference, name) = (reference.clone(), self.owner.to_owned());
            ops.push(match hold {
                true => Op::AddFinalizer(reference, name, Expect::running()),
                false => Op::RemoveFinalizer(reference, name),
            });
        }
        ops
    }

    /// Tears down what someone holds, destroys the rest at once. A foreign owner is left for the store to refuse.
    fn drop_output(&self, stored: &Arc<Entry>, ops: &mut Vec<Op>) {
        let reference = stored.reference();
        if stored.metadata.finalizers.is_empty() {
            ops.push(Op::Destroy(reference, Expect::ANY));
        } else if stored.metadata.phase == Phase::Running {
            ops.push(Op::Teardown(reference, Expect::ANY));
        }
    }

    fn change_output(&self, stored: &Arc<Entry>, resource: &Resource, ops: &mut Vec<Op>) {
        let metadata = &stored.metadata;
        if metadata.phase == Phase::TearingDown && &*metadata.owner == self.owner {
            // The last generation goes first. While someone holds it nothing can be done; the release wakes us.
            if metadata.finalizers.is_empty() {
                ops.push(Op::Destroy(stored.reference(), Expect::ANY));
                ops.push(Op::Create(resource.clone()));
            }
            return;
        }
        let same = &*metadata.owner == self.owner
            && metadata.labels == resource.metadata.labels
            && stored.spec == resource.spec;
        if !same {
            ops.push(Op::Put(resource.clone()));
        }
    }
}
