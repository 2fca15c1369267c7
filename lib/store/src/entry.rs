//! One stored version of a resource, with where it came from.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::metadata::{Reference, Revision, Uid};
use crate::resource::Resource;

/// What made a writer write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trigger {
    /// The writer did not say.
    #[default]
    Unstated,
    /// A resource it had read.
    Resource {
        /// The revision it had read.
        revision: Revision,
        /// The resource that woke it, if there was one in particular.
        reference: Option<Reference>,
    },
    /// Something outside the store: a line of the config, a kernel event, a person.
    Outside(Arc<str>),
}

/// Who wrote a version and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The writer's name: a controller, or who called the API.
    pub writer: Arc<str>,
    /// What made it write.
    pub trigger: Trigger,
}

/// One stored version of a resource. Derefs to the [`Resource`].
#[derive(Clone)]
pub struct Entry {
    /// The resource as stored.
    pub resource: Resource,
    /// Its incarnation.
    pub uid: Uid,
    /// The commit that wrote this version.
    pub revision: Revision,
    /// Who wrote it and why.
    pub cause: Arc<Cause>,
}

impl Deref for Entry {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        &self.resource
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("resource", &self.resource)
            .field("uid", &self.uid)
            .field("revision", &self.revision)
            .field("cause", &self.cause)
            .finish()
    }
}

/// What happened to one resource in one commit.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is new.
    Created(Arc<Entry>),
    /// It was written again.
    Updated {
        /// The version before the commit.
        old: Arc<Entry>,
        /// The version after it.
        new: Arc<Entry>,
    },
    /// It is gone; this is the last stored version.
    Destroyed(Arc<Entry>),
}

impl Change {
    /// The version after the change, or the last one there was.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry> {
        match self {
            Self::Created(entry) | Self::Updated { new: entry, .. } | Self::Destroyed(entry) => {
                entry
            }
        }
    }

    /// The version before the change.
    #[must_use]
    pub fn old(&self) -> Option<&Arc<Entry>> {
        match self {
            Self::Created(_) => None,
            Self::Updated { old, .. } => Some(old),
            Self::Destroyed(old) => Some(old),
        }
    }

    /// The version after the change; `None` when it is gone.
    #[must_use]
    pub fn now(&self) -> Option<&Arc<Entry>> {
        match self {
            Self::Created(new) | Self::Updated { new, .. } => Some(new),
            Self::Destroyed(_) => None,
        }
    }

    /// The resource it happened to.
    #[must_use]
    pub fn reference(&self) -> Reference {
        self.entry().reference()
    }
}
