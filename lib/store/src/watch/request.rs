//! What a reader asks for when it begins to watch.

use std::sync::Arc;

use super::bookmark::{Bookmark, BookmarkError};
use super::ring::HISTORY;
use crate::query::{IdQuery, LabelQuery, Selector};

/// How many events wait in a queue before it folds: as many as history keeps, so whoever could still resume sees
/// every single event.
pub const QUEUE_LIMIT: usize = HISTORY;

/// Where a watch begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Now. A watch of one resource still says first what is there.
    #[default]
    Now,
    /// With everything that is there, then `Bootstrapped`.
    Contents,
    /// With the last changes.
    Tail(usize),
    /// After a place seen earlier.
    After(Bookmark),
}

/// What to watch and from where.
#[derive(Clone, Debug)]
pub struct WatchRequest {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The type's full name.
    pub ty: Arc<str>,
    /// The id, to watch a single resource.
    pub id: Option<Arc<str>>,
    /// Which resources of the kind are meant.
    pub selector: Selector,
    /// Where to begin.
    pub start: Start,
    /// Whether a `Noop` with a bookmark follows what the watch begins with.
    pub bookmark: bool,
    /// How many events may wait before they fold.
    pub limit: usize,
}

impl WatchRequest {
    /// The changes of a kind, from now on.
    pub fn kind(namespace: impl Into<Arc<str>>, ty: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            ty: ty.into(),
            id: None,
            selector: Selector::default(),
            start: Start::Now,
            bookmark: false,
            limit: QUEUE_LIMIT,
        }
    }

    /// One resource: what is there now, then its changes.
    pub fn one(
        namespace: impl Into<Arc<str>>,
        ty: impl Into<Arc<str>>,
        id: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::kind(namespace, ty)
        }
    }

    /// Begins with everything that is there.
    #[must_use]
    pub fn contents(mut self) -> Self {
        self.start = Start::Contents;
        self
    }

    /// Begins with the last changes.
    #[must_use]
    pub fn tail(mut self, count: usize) -> Self {
        self.start = Start::Tail(count);
        self
    }

    /// Begins after a place seen earlier.
    #[must_use]
    pub fn after(mut self, bookmark: Bookmark) -> Self {
        self.start = Start::After(bookmark);
        self
    }

    /// Asks for a bookmark after what the watch begins with.
    #[must_use]
    pub fn with_bookmark(mut self) -> Self {
        self.bookmark = true;
        self
    }

    /// Adds an alternative of labels.
    #[must_use]
    pub fn labels(mut self, query: LabelQuery) -> Self {
        self.selector.labels.push(query);
        self
    }

    /// Narrows it down to ids.
    #[must_use]
    pub fn ids(mut self, query: IdQuery) -> Self {
        self.selector.ids = Some(query);
        self
    }

    /// Sets how many events may wait before they fold.
    #[must_use]
    pub fn queue_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// Why a watch cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The place to begin at is not known (any more).
    #[error("cannot resume the watch")]
    Bookmark(#[from] BookmarkError),
    /// A single resource has no contents and no labels to select by.
    #[error("a watch of one resource takes neither initial contents nor label queries")]
    Single,
}
