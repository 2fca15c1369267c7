//! A read-only view of the whole state at one revision: taken in constant time, never blocked, never changing.

use std::ops::Bound;
use std::sync::Arc;

use crate::entry::Entry;
use crate::metadata::{Reference, Revision};
use crate::query::Selector;
use crate::resource::Typed;
use crate::root::{Kind, Root};
use crate::spec::Spec;

/// The state at one revision. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) root: Arc<Root>,
    pub(crate) epoch: u64,
}

impl Snapshot {
    /// The commit it shows.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.root.revision
    }

    /// The epoch of the store it was taken from.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// One resource.
    #[must_use]
    pub fn get(&self, namespace: &str, ty: &str, id: &str) -> Option<&Arc<Entry>> {
        self.root.get(namespace, ty, id)
    }

    /// One resource, by its identity.
    #[must_use]
    pub fn find(&self, reference: &Reference) -> Option<&Arc<Entry>> {
        self.root.find(reference)
    }

    /// All resources of a kind, by id.
    pub fn list(&self, namespace: &str, ty: &str) -> impl Iterator<Item = &Arc<Entry>> + use<'_> {
        self.root
            .kind(namespace, ty)
            .into_iter()
            .flat_map(|kind| kind.entries.values())
    }

    /// The resources of a kind that the selector means, by id.
    pub fn select<'a>(
        &'a self,
        namespace: &str,
        ty: &str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        self.list(namespace, ty)
            .filter(|entry| selector.matches(&entry.metadata))
    }

    /// One resource of a known type.
    #[must_use]
    pub fn get_as<S: Spec>(&self, namespace: &str, id: &str) -> Option<Typed<S>> {
        self.get(namespace, S::DEFINITION.ty, id)
            .and_then(|entry| Typed::from_resource(entry))
    }

    /// All resources of a known type in a namespace, by id.
    pub fn list_as<S: Spec>(&self, namespace: &str) -> impl Iterator<Item = Typed<S>> + use<'_, S> {
        self.list(namespace, S::DEFINITION.ty)
            .filter_map(|entry| Typed::from_resource(entry))
    }

    /// Every namespace and type that was ever written, with the number of resources there.
    pub fn kinds(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, usize)> {
        self.root
            .kinds()
            .map(|(namespace, ty, kind)| (namespace, ty, kind.entries.len()))
    }
}

/// Walks over a kind by id while the snapshot's memory is all it holds: the contents a watch starts with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    kind: Kind,
    last: Option<Arc<str>>,
}

impl Walk {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, last: None }
    }
}

impl Iterator for Walk {
    type Item = Arc<Entry>;

    fn next(&mut self) -> Option<Arc<Entry>> {
        let from = match &self.last {
            None => Bound::Unbounded,
            Some(id) => Bound::Excluded(&**id),
        };
        let (id, entry) = self
            .kind
            .entries
            .range::<_, str>((from, Bound::Unbounded))
            .next()?;
        let (id, entry) = (Arc::clone(id), Arc::clone(entry));
        self.last = Some(id);
        Some(entry)
    }
}
