//! What a watcher is told.

use std::sync::Arc;

use super::bookmark::Bookmark;
use crate::entry::Entry;
use crate::metadata::Reference;

/// What happened, as seen through the watch's selector.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// A resource is there that was not, or it came to match.
    Created(Arc<Entry>),
    /// A resource was written again.
    Updated {
        /// The version the reader knows.
        old: Arc<Entry>,
        /// The version now.
        new: Arc<Entry>,
    },
    /// A resource is gone, or no longer matches; then this is the version that does not.
    Destroyed(Arc<Entry>),
    /// The one resource that is watched was not there when the watch began. On the wire a `Destroyed` of a tombstone.
    Absent(Reference),
    /// All that was there when the watch began has been delivered.
    Bootstrapped,
    /// Nothing; carries a bookmark.
    Noop,
}

impl EventKind {
    /// The resource's current or last version, if the event is about a stored one.
    #[must_use]
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        match self {
            Self::Created(entry) | Self::Updated { new: entry, .. } | Self::Destroyed(entry) => {
                Some(entry)
            }
            Self::Absent(_) | Self::Bootstrapped | Self::Noop => None,
        }
    }
}

/// One event, and where to resume after it.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Set when everything up to here was delivered, so not within the initial contents and not within a folded
    /// batch. The last event of a folded batch has one, unless what was to follow it cancelled out meanwhile; an
    /// earlier place stays good.
    pub bookmark: Option<Bookmark>,
}
