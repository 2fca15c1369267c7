//! Why a write was refused, in the kinds the contract tells apart.

use std::sync::Arc;

use crate::metadata::{Phase, Reference, Uid, Version};

/// Why a transaction was refused. Nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// There is no such resource.
    #[error("{reference} does not exist")]
    NotFound {
        /// The resource.
        reference: Reference,
    },
    /// The id is taken.
    #[error("{reference} exists already")]
    Exists {
        /// The resource.
        reference: Reference,
    },
    /// Someone else owns it.
    #[error("{reference} is owned by {actual:?}, not by {expected:?}")]
    Owner {
        /// The resource.
        reference: Reference,
        /// Who tried.
        expected: Arc<str>,
        /// Who owns it.
        actual: Arc<str>,
    },
    /// It was written since it was read.
    #[error("{reference} has version {actual}, not {expected}")]
    Version {
        /// The resource.
        reference: Reference,
        /// The version that was read.
        expected: Version,
        /// The version that is stored.
        actual: Version,
    },
    /// It was destroyed and created again since it was read.
    #[error("{reference} is another incarnation than the one that was read")]
    Uid {
        /// The resource.
        reference: Reference,
        /// The incarnation that was read.
        expected: Uid,
        /// The incarnation that is stored.
        actual: Uid,
    },
    /// It is in another phase; also the answer to reviving what is on its way out.
    #[error("{reference} is {actual}, not {expected}")]
    Phase {
        /// The resource.
        reference: Reference,
        /// The phase that was expected.
        expected: Phase,
        /// The phase that is stored.
        actual: Phase,
    },
    /// Something holds it.
    #[error("{reference} is held by {}", held_by.join(", "))]
    Held {
        /// The resource.
        reference: Reference,
        /// The names that hold it.
        held_by: Vec<String>,
    },
    /// The metadata names another type than the spec is of.
    #[error("{reference} was given a spec of type {spec}")]
    SpecType {
        /// The resource.
        reference: Reference,
        /// The spec's type.
        spec: &'static str,
    },
}

impl CommitError {
    /// The resource it is about.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        match self {
            Self::NotFound { reference }
            | Self::Exists { reference }
            | Self::Owner { reference, .. }
            | Self::Version { reference, .. }
            | Self::Uid { reference, .. }
            | Self::Phase { reference, .. }
            | Self::Held { reference, .. }
            | Self::SpecType { reference, .. } => reference,
        }
    }

    /// Whether reading again and trying again may succeed: the state moved on.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(
            self,
            Self::Version { .. } | Self::Uid { .. } | Self::Exists { .. } | Self::NotFound { .. }
        )
    }

    /// Whether the contract calls it a conflict; only a missing resource and a wrong spec are none.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        !matches!(self, Self::NotFound { .. } | Self::SpecType { .. })
    }
}
