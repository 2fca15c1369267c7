//! What every resource carries besides its spec: identity, version, owner, phase, finalizers, labels.
//!
//! Plain data. The rules about who may change which part live in `apply`; nothing here refuses a write.
//! Identity strings are `Arc<str>`: the store shares one namespace and type string between all resources of a kind.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

/// A resource's own counter: grows by one with every write and never restarts, not even when the id is destroyed and
/// created again. Zero means "not stored yet" and is written `undefined`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The version of something that was never stored.
    pub const UNDEFINED: Self = Self(0);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("undefined"),
            n => write!(f, "{n}"),
        }
    }
}

/// A version's text is neither a decimal number nor `undefined`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {text:?} is not a decimal number")]
pub struct VersionError {
    text: String,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text == "undefined" {
            return Ok(Self::UNDEFINED);
        }
        // The contract's clients read it as a signed 64-bit number, so larger ones must not enter.
        match text.parse::<i64>().ok().and_then(|n| u64::try_from(n).ok()) {
            Some(n) => Ok(Self(n)),
            None => Err(VersionError {
                text: text.to_owned(),
            }),
        }
    }
}

/// One incarnation of an id: a destroyed and re-created resource has another uid. Internal, never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub(crate) u64);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The store's own counter: one step per commit that changed something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a resource is wanted.
///
/// `Running` is left by a teardown; `TearingDown` is left only by being destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Wanted.
    #[default]
    Running,
    /// On its way out; holders of finalizers clean up and let go.
    TearingDown,
}

impl Phase {
    /// The exact spelling of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::TearingDown => "tearingDown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A phase's text is neither `running` nor `tearingDown`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("phase {text:?} is neither running nor tearingDown")]
pub struct PhaseError {
    text: String,
}

impl FromStr for Phase {
    type Err = PhaseError;

    fn from_str(text: &str) -> Result<Self, PhaseError> {
        match text {
            "running" => Ok(Self::Running),
            "tearingDown" => Ok(Self::TearingDown),
            _ => Err(PhaseError {
                text: text.to_owned(),
            }),
        }
    }
}

/// Names that hold a resource against its destruction: ordered as added, compared as a set.
#[derive(Clone, Debug, Default, Eq)]
pub struct Finalizers(Vec<String>);

impl Finalizers {
    /// Adds a name; false when it was there.
    pub fn add(&mut self, name: &str) -> bool {
        let new = !self.contains(name);
        if new {
            self.0.push(name.to_owned());
        }
        new
    }

    /// Removes a name; false when it was not there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|held| held != name);
        self.0.len() != before
    }

    /// Whether the name holds the resource.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|held| held == name)
    }

    /// Whether nothing holds the resource.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in the order they were added.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl PartialEq for Finalizers {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|name| other.contains(name))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Finalizers {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut set = Self::default();
        for name in names {
            set.add(name.as_ref());
        }
        set
    }
}

/// The identity of a resource: namespace, type, id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its type's full name, `LinkStatuses.net.garboard`.
    pub ty: Arc<str>,
    /// Its id within namespace and type.
    pub id: Arc<str>,
}

impl Reference {
    /// The identity made of the three.
    pub fn new(
        namespace: impl Into<Arc<str>>,
        ty: impl Into<Arc<str>>,
        id: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            ty: ty.into(),
            id: id.into(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}/{})", self.ty, self.namespace, self.id)
    }
}

impl From<&Metadata> for Reference {
    fn from(metadata: &Metadata) -> Self {
        metadata.reference()
    }
}

/// What every resource carries besides its spec.
///
/// Equality leaves out `created` and `updated`, and the order of finalizers: it answers "would a write change anything".
#[derive(Clone, Debug, Eq)]
pub struct Metadata {
    /// The namespace it lives in.
    pub namespace: Arc<str>,
    /// Its type's full name.
    pub ty: Arc<str>,
    /// Its id within namespace and type.
    pub id: Arc<str>,
    /// Its own counter; the store sets it.
    pub version: Version,
    /// Who may write it; empty means nobody in particular (a person, the API).
    pub owner: Arc<str>,
    /// Whether it is wanted.
    pub phase: Phase,
    /// Who holds it against destruction.
    pub finalizers: Finalizers,
    /// Names that queries can select by.
    pub labels: BTreeMap<String, String>,
    /// Names that queries cannot select by.
    pub annotations: BTreeMap<String, String>,
    /// When it was created; the store sets it.
    pub created: Timestamp,
    /// When it was last written; the store sets it on updates.
    pub updated: Timestamp,
}

impl Metadata {
    /// A running, unowned resource that was never stored.
    pub fn new(
        namespace: impl Into<Arc<str>>,
        ty: impl Into<Arc<str>>,
        id: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            ty: ty.into(),
            id: id.into(),
            version: Version::UNDEFINED,
            owner: Arc::from(""),
            phase: Phase::Running,
            finalizers: Finalizers::default(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
        }
    }

    /// The identity alone.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference {
            namespace: Arc::clone(&self.namespace),
            ty: Arc::clone(&self.ty),
            id: Arc::clone(&self.id),
        }
    }

    /// The same with one label more.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same with one annotation more.
    #[must_use]
    pub fn with_annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.namespace == other.namespace
            && self.ty == other.ty
            && self.id == other.id
            && self.version == other.version
            && self.owner == other.owner
            && self.phase == other.phase
            && self.finalizers == other.finalizers
            && self.labels == other.labels
            && self.annotations == other.annotations
    }
}
