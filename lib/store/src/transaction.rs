//! What a writer asks for: a list of operations that are done together or not at all.
//!
//! Only data; the rules are in `apply`. Operations see the effect of those before them.

use std::sync::Arc;

use crate::entry::{Cause, Trigger};
use crate::metadata::{Phase, Reference, Revision, Uid, Version};
use crate::resource::Resource;

/// What must be true of a stored resource before an operation touches it. The default expects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// Its version.
    pub version: Option<Version>,
    /// Its incarnation.
    pub uid: Option<Uid>,
    /// Its phase.
    pub phase: Option<Phase>,
    /// Its owner.
    pub owner: Option<Arc<str>>,
}

impl Expect {
    /// Nothing is expected.
    pub const ANY: Self = Self {
        version: None,
        uid: None,
        phase: None,
        owner: None,
    };

    /// That it is wanted.
    #[must_use]
    pub fn running() -> Self {
        Self {
            phase: Some(Phase::Running),
            ..Self::ANY
        }
    }

    /// The same, and this version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// The same, and this incarnation.
    #[must_use]
    pub fn uid(mut self, uid: Uid) -> Self {
        self.uid = Some(uid);
        self
    }

    /// The same, and this phase.
    #[must_use]
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }

    /// The same, and this owner.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<Arc<str>>) -> Self {
        self.owner = Some(owner.into());
        self
    }
}

/// One operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Op {
    /// The id must be free. The transaction's owner becomes the resource's.
    Create(Resource),
    /// Replaces spec, labels, annotations, finalizers and phase; always a new version. The stored owner stays, and must
    /// be the transaction's.
    Update(Resource, Expect),
    /// Creates the resource, or replaces spec, labels and annotations if they differ. Phase and finalizers stay.
    /// The stored owner must be the transaction's, the stored phase running.
    Put(Resource),
    /// Removes it. The owner must be the transaction's, and nothing may hold it.
    Destroy(Reference, Expect),
    /// Marks it as on its way out; nothing changes if it is. The owner must be the transaction's.
    Teardown(Reference, Expect),
    /// Lets a name hold it, whoever owns it; nothing changes if it does.
    AddFinalizer(Reference, String, Expect),
    /// Lets it go, whoever owns it; nothing changes if the name or the resource is not there.
    RemoveFinalizer(Reference, String),
    /// Stores a copy of another store's resource exactly as it is, version and owner included; nothing changes if it
    /// is stored already. For processes that keep a mirror, never for writing.
    Mirror(Resource),
    /// Removes such a copy, whatever owns or holds it; nothing changes if it is not there.
    Unmirror(Reference),
    /// Changes nothing, but the transaction fails unless this holds.
    Require(Reference, Expect),
    /// Changes nothing, but the transaction fails unless the id is free.
    RequireAbsent(Reference),
}

impl Op {
    /// The resource it is about.
    #[must_use]
    pub fn reference(&self) -> Reference {
        match self {
            Self::Create(resource)
            | Self::Update(resource, _)
            | Self::Put(resource)
            | Self::Mirror(resource) => resource.reference(),
            Self::Destroy(reference, _)
            | Self::Teardown(reference, _)
            | Self::AddFinalizer(reference, ..)
            | Self::RemoveFinalizer(reference, _)
            | Self::Unmirror(reference)
            | Self::Require(reference, _)
            | Self::RequireAbsent(reference) => reference.clone(),
        }
    }
}

/// Operations that are done together or not at all, and who asks for them.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub(crate) ops: Vec<Op>,
    pub(crate) owner: Arc<str>,
    pub(crate) cause: Cause,
}

impl Transaction {
    /// Nothing yet, by this writer, for unowned resources. The writer is who `why` will name; a controller calls
    /// [`Transaction::owned`] instead.
    pub fn new(writer: impl Into<Arc<str>>) -> Self {
        Self {
            ops: Vec::new(),
            owner: Arc::from(""),
            cause: Cause {
                writer: writer.into(),
                trigger: Trigger::Unstated,
            },
        }
    }

    /// Nothing yet, by this writer, for resources it owns.
    pub fn owned(writer: impl Into<Arc<str>>) -> Self {
        let writer = writer.into();
        Self::new(Arc::clone(&writer)).owner(writer)
    }

    /// Acts as this owner: new resources get it, written ones must have it. Empty means unowned.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<Arc<str>>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Says which revision, and which resource in it, made the writer write.
    #[must_use]
    pub fn caused_by(mut self, revision: Revision, reference: Option<Reference>) -> Self {
        self.cause.trigger = Trigger::Resource {
            revision,
            reference,
        };
        self
    }

    /// Says what outside the store made the writer write.
    #[must_use]
    pub fn caused_outside(mut self, what: impl Into<Arc<str>>) -> Self {
        self.cause.trigger = Trigger::Outside(what.into());
        self
    }

    /// Adds an operation.
    #[must_use]
    pub fn op(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// Adds an operation in place, for loops.
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// [`Op::Create`].
    #[must_use]
    pub fn create(self, resource: impl Into<Resource>) -> Self {
        self.op(Op::Create(resource.into()))
    }

    /// [`Op::Update`] of a running resource that still has the version the given metadata was read with.
    #[must_use]
    pub fn update(self, resource: impl Into<Resource>) -> Self {
        let resource = resource.into();
        let expect = Expect::running().version(resource.metadata.version);
        self.op(Op::Update(resource, expect))
    }

    /// [`Op::Put`].
    #[must_use]
    pub fn put(self, resource: impl Into<Resource>) -> Self {
        self.op(Op::Put(resource.into()))
    }

    /// [`Op::Destroy`], expecting nothing but the owner.
    #[must_use]
    pub fn destroy(self, reference: impl Into<Reference>) -> Self {
        self.op(Op::Destroy(reference.into(), Expect::ANY))
    }

    /// [`Op::Teardown`], expecting nothing but the owner.
    #[must_use]
    pub fn teardown(self, reference: impl Into<Reference>) -> Self {
        self.op(Op::Teardown(reference.into(), Expect::ANY))
    }

    /// [`Op::AddFinalizer`] to a running resource: one already on its way out is a phase conflict, so nobody starts
    /// to hold a generation that is being cleaned up.
    #[must_use]
    pub fn add_finalizer(self, reference: impl Into<Reference>, name: impl Into<String>) -> Self {
        self.op(Op::AddFinalizer(
            reference.into(),
            name.into(),
            Expect::running(),
        ))
    }

    /// [`Op::AddFinalizer`] in any phase, as foreign clients of the wire contract do.
    #[must_use]
    pub fn add_finalizer_any_phase(
        self,
        reference: impl Into<Reference>,
        name: impl Into<String>,
    ) -> Self {
        self.op(Op::AddFinalizer(reference.into(), name.into(), Expect::ANY))
    }

    /// [`Op::RemoveFinalizer`].
    #[must_use]
    pub fn remove_finalizer(
        self,
        reference: impl Into<Reference>,
        name: impl Into<String>,
    ) -> Self {
        self.op(Op::RemoveFinalizer(reference.into(), name.into()))
    }

    /// [`Op::Mirror`].
    #[must_use]
    pub fn mirror(self, resource: impl Into<Resource>) -> Self {
        self.op(Op::Mirror(resource.into()))
    }

    /// [`Op::Unmirror`].
    #[must_use]
    pub fn unmirror(self, reference: impl Into<Reference>) -> Self {
        self.op(Op::Unmirror(reference.into()))
    }

    /// [`Op::Require`].
    #[must_use]
    pub fn require(self, reference: impl Into<Reference>, expect: Expect) -> Self {
        self.op(Op::Require(reference.into(), expect))
    }

    /// [`Op::RequireAbsent`].
    #[must_use]
    pub fn require_absent(self, reference: impl Into<Reference>) -> Self {
        self.op(Op::RequireAbsent(reference.into()))
    }

    /// The operations so far.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}
