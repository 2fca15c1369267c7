//! Marks for controllers: which resources changed, told inside the commit, so that no change can be missed.
//!
//! A controller's runtime subscribes, is marked, then takes a snapshot. Since the new state is visible before the
//! marks are set and both happen inside one critical section, a snapshot taken after a mark shows the change.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::entry::Change;
use crate::metadata::Revision;
use crate::query::Selector;
use crate::state::Shared;

/// Which changes a subscriber wants to be told of. The type is exact; the rest narrows it down.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    /// The namespace; `None` means all.
    pub namespace: Option<Arc<str>>,
    /// The type's full name.
    pub ty: Arc<str>,
    /// The id; `None` means all.
    pub id: Option<Arc<str>>,
    /// Labels and id pattern; a change matches when the old or the new version does.
    pub selector: Selector,
}

impl Matcher {
    /// All resources of a type.
    pub fn of_type(ty: impl Into<Arc<str>>) -> Self {
        Self {
            ty: ty.into(),
            ..Self::default()
        }
    }

    /// All resources of a type in a namespace.
    pub fn of_kind(namespace: impl Into<Arc<str>>, ty: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: Some(namespace.into()),
            ..Self::of_type(ty)
        }
    }

    /// The same, for one id.
    #[must_use]
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same, for what the selector means.
    #[must_use]
    pub fn selector(mut self, selector: Selector) -> Self {
        self.selector = selector;
        self
    }

    /// Whether the change is wanted.
    #[must_use]
    pub fn matches(&self, change: &Change) -> bool {
        let metadata = &change.entry().metadata;
        let wanted = |option: &Option<Arc<str>>, actual: &Arc<str>| {
            option.as_ref().is_none_or(|wanted| wanted == actual)
        };
        *self.ty == *metadata.ty
            && wanted(&self.namespace, &metadata.namespace)
            && wanted(&self.id, &metadata.id)
            && [change.old(), change.now()]
                .into_iter()
                .flatten()
                .any(|entry| self.selector.matches(&entry.metadata))
    }
}

/// Takes marks.
pub trait DirtySink: Send + Sync {
    /// Called for every wanted change, in commit order, inside the commit: it must be short and must not panic. It may
    /// take snapshots, but must not otherwise call the store, nor drop one of its watchers or subscriptions, nor wait
    /// for a lock that somebody holds while calling the store: all these would wait for the commit it is part of.
    fn mark(&self, revision: Revision, change: &Change);
}

/// Marks arrive until this is dropped.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    pub(crate) store: Weak<Shared>,
    pub(crate) number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(store) = self.store.upgrade() {
            store.unsubscribe(self.number);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
