//! Why a controller runs: the keys that may have changed since its last run.
//!
//! A set, not a log: its size is bounded by the number of distinct ids, however fast they change.

use std::collections::BTreeSet;

use store::{Reference, Spec};

/// What may have changed since the controller's last successful run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    keys: BTreeSet<Reference>,
    all: bool,
    triggered: bool,
    requeued: bool,
}

impl Dirty {
    /// Nothing is known: the first run, or the run after a failure.
    #[must_use]
    pub(crate) fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Whether everything must be looked at.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Whether a source or a [`Trigger`](crate::Trigger) asked for the run.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.triggered
    }

    /// Whether the time given with [`Outcome::Requeue`](crate::Outcome::Requeue) has passed.
    #[must_use]
    pub fn is_requeued(&self) -> bool {
        self.requeued
    }

    /// The keys that changed, in order; says nothing when [`is_all`](Self::is_all).
    pub fn keys(&self) -> impl Iterator<Item = &Reference> {
        self.keys.iter()
    }

    /// The ids of one type that changed, in order; says nothing when [`is_all`](Self::is_all).
    pub fn ids<S: Spec>(&self) -> impl Iterator<Item = &str> {
        self.keys
            .iter()
            .filter(|key| *key.ty == *S::DEFINITION.ty)
            .map(|key| &*key.id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many reasons for a run there are: each key is one, and so is each of the others.
    pub(crate) fn len(&self) -> usize {
        let others = [self.all, self.triggered, self.requeued];
        self.keys.len() + others.into_iter().filter(|it| *it).count()
    }

    pub(crate) fn add(&mut self, key: Reference) {
        self.keys.insert(key);
    }

    pub(crate) fn set_all(&mut self) {
        self.all = true;
    }

    pub(crate) fn set_triggered(&mut self) {
        self.triggered = true;
    }

    pub(crate) fn set_requeued(&mut self) {
        self.requeued = true;
    }
}
