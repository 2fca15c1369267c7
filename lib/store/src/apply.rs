//! The rules of writing: which operation is allowed on what is stored, and what becomes of it.
//!
//! Pure: a root and a transaction in, a new root and its changes out, or the first refusal and nothing changed. The
//! contract's order of checks is kept (existence, owner, version, phase), because clients tell the conflicts apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::entry::{Cause, Change, Entry};
use crate::metadata::{Metadata, Phase, Reference, Revision, Uid};
use crate::refusal::CommitError;
use crate::resource::Resource;
use crate::root::Root;
use crate::transaction::{Expect, Op, Transaction};

/// What a commit did.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The revision after it; the one before when nothing changed.
    pub revision: Revision,
    /// What changed, one item per resource (two if it was destroyed and created again), in the order of operations.
    pub changes: Vec<Change>,
    /// Per operation, what it left behind: the stored version, or `None` when there is none.
    pub results: Vec<Option<Arc<Entry>>>,
}

impl Committed {
    /// What the first operation left behind, for transactions of one.
    #[must_use]
    pub fn first(&self) -> Option<&Arc<Entry>> {
        self.results.first().and_then(Option::as_ref)
    }
}

/// Does all operations on a copy of the root.
pub(crate) fn apply(
    before: &Root,
    transaction: Transaction,
    now: Timestamp,
) -> Result<(Root, Committed), CommitError> {
    let mut work = Work {
        root: before.clone(),
        owner: transaction.owner,
        cause: Arc::new(transaction.cause),
        revision: Revision(before.revision.0 + 1),
        now,
    };
    let mut touched: Vec<Reference> = Vec::new();
    let mut results = Vec::with_capacity(transaction.ops.len());
    for op in transaction.ops {
        let reference = op.reference();
        results.push(work.op(op)?);
        touched.push(reference);
    }
    let changes = changes(before, &work.root, touched);
    if !changes.is_empty() {
        work.root.revision = work.revision;
    }
    let committed = Committed {
        revision: work.root.revision,
        changes,
        results,
    };
    Ok((work.root, committed))
}

/// The net effect per resource, in the order they were first touched.
fn changes(before: &Root, after: &Root, touched: Vec<Reference>) -> Vec<Change> {
    let mut order = BTreeMap::new();
    for (position, reference) in touched.into_iter().enumerate() {
        order.entry(reference).or_insert(position);
    }
    let mut touched: Vec<_> = order.into_iter().collect();
    touched.sort_by_key(|(_, position)| *position);
    let mut changes = Vec::new();
    for (reference, _) in touched {
        match (before.find(&reference), after.find(&reference)) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
            (Some(old), Some(new)) if old.uid == new.uid => changes.push(Change::Updated {
                old: Arc::clone(old),
                new: Arc::clone(new),
            }),
            (old, new) => {
                changes.extend(old.cloned().map(Change::Destroyed));
                changes.extend(new.cloned().map(Change::Created));
            }
        }
    }
    changes
}

/// A commit in progress.
struct Work {
    root: Root,
    owner: Arc<str>,
    cause: Arc<Cause>,
    revision: Revision,
    now: Timestamp,
}

impl Work {
    fn op(&mut self, op: Op) -> Result<Option<Arc<Entry>>, CommitError> {
        match op {
            Op::Create(resource) => self.create(resource).map(Some),
            Op::Update(resource, expect) => self.update(resource, &expect).map(Some),
            Op::Put(resource) => self.put(resource).map(Some),
            Op::Destroy(reference, expect) => self.destroy(&reference, &expect).map(|()| None),
            Op::Teardown(reference, expect) => self.teardown(reference, &expect).map(Some),
            Op::AddFinalizer(reference, name, expect) => {
                self.add_finalizer(reference, &name, &expect).map(Some)
            }
            Op::RemoveFinalizer(reference, name) => Ok(self.remove_finalizer(&reference, &name)),
            Op::Mirror(resource) => self.mirror(resource).map(Some),
            Op::Unmirror(reference) => {
                self.root.remove(&reference);
                Ok(None)
            }
            Op::Require(reference, expect) => self.expected(&reference, &expect).map(Some),
            Op::RequireAbsent(reference) => match self.root.find(&reference) {
                Some(_) => Err(CommitError::Exists { reference }),
                None => Ok(None),
            },
        }
    }

    fn create(&mut self, mut resource: Resource) -> Result<Arc<Entry>, CommitError> {
        let reference = resource.reference();
        check_type(&resource)?;
        if self.root.find(&reference).is_some() {
            return Err(CommitError::Exists { reference });
        }
        resource.metadata.version = self.root.first_version(&reference);
        resource.metadata.owner = Arc::clone(&self.owner);
        resource.metadata.created = self.now;
        if resource.metadata.updated == Timestamp::UNIX_EPOCH {
            // The contract takes a caller's own time; one that was never set would read as 1970.
            resource.metadata.updated = self.now;
        }
        let uid = self.root.next_uid();
        Ok(self.store(resource, uid))
    }

    fn update(
        &mut self,
        mut resource: Resource,
        expect: &Expect,
    ) -> Result<Arc<Entry>, CommitError> {
        let reference = resource.reference();
        check_type(&resource)?;
        let stored = self.owned(&reference, expect)?;
        if stored.metadata.phase == Phase::TearingDown && resource.metadata.phase == Phase::Running
        {
            return Err(CommitError::Phase {
                reference,
                expected: Phase::Running,
                actual: Phase::TearingDown,
            });
        }
        resource.metadata.owner = Arc::clone(&stored.metadata.owner);
        Ok(self.replace(&stored, resource))
    }

    fn put(&mut self, resource: Resource) -> Result<Arc<Entry>, CommitError> {
        let reference = resource.reference();
        if self.root.find(&reference).is_none() {
            return self.create(resource);
        }
        check_type(&resource)?;
        let stored = self.owned(&reference, &Expect::running())?;
        let wanted = Metadata {
            labels: resource.metadata.labels,
            annotations: resource.metadata.annotations,
            ..stored.metadata.clone()
        };
        if wanted == stored.metadata && resource.spec == stored.spec {
            return Ok(stored);
        }
        let resource = Resource {
            metadata: wanted,
            spec: resource.spec,
        };
        Ok(self.replace(&stored, resource))
    }

    fn destroy(&mut self, reference: &Reference, expect: &Expect) -> Result<(), CommitError> {
        let stored = self.owned(reference, expect)?;
        if !stored.metadata.finalizers.is_empty() {
            return Err(CommitError::Held {
                reference: reference.clone(),
                held_by: stored.metadata.finalizers.names().to_vec(),
            });
        }
        self.root.remove(reference);
        Ok(())
    }

    fn teardown(
        &mut self,
        reference: Reference,
        expect: &Expect,
    ) -> Result<Arc<Entry>, CommitError> {
        let stored = self.owned(&reference, expect)?;
        if stored.metadata.phase == Phase::TearingDown {
            return Ok(stored);
        }
        let mut resource = stored.resource.clone();
        resource.metadata.phase = Phase::TearingDown;
        Ok(self.replace(&stored, resource))
    }

    fn add_finalizer(
        &mut self,
        reference: Reference,
        name: &str,
        expect: &Expect,
    ) -> Result<Arc<Entry>, CommitError> {
        let stored = self.expected(&reference, expect)?;
        if stored.metadata.finalizers.contains(name) {
            return Ok(stored);
        }
        let mut resource = stored.resource.clone();
        resource.metadata.finalizers.add(name);
        Ok(self.replace(&stored, resource))
    }

    fn remove_finalizer(&mut self, reference: &Reference, name: &str) -> Option<Arc<Entry>> {
        let stored = Arc::clone(self.root.find(reference)?);
        if !stored.metadata.finalizers.contains(name) {
            return Some(stored);
        }
        let mut resource = stored.resource.clone();
        resource.metadata.finalizers.remove(name);
        Some(self.replace(&stored, resource))
    }

    fn mirror(&mut self, resource: Resource) -> Result<Arc<Entry>, CommitError> {
        check_type(&resource)?;
        let uid = match self.root.find(&resource.reference()) {
            Some(stored) if stored.resource == resource => return Ok(Arc::clone(stored)),
            // Incarnations do not travel, but two of one id are never created at one instant with rising versions.
            Some(stored)
                if stored.metadata.created == resource.metadata.created
                    && stored.metadata.version < resource.metadata.version =>
            {
                stored.uid
            }
            _ => self.root.next_uid(),
        };
        Ok(self.store(resource, uid))
    }

    /// The stored version, which must be there and be the transaction's own.
    fn owned(&self, reference: &Reference, expect: &Expect) -> Result<Arc<Entry>, CommitError> {
        let stored = self.found(reference)?;
        check_owner(&stored, reference, &self.owner)?;
        self.expected(reference, expect)
    }

    fn found(&self, reference: &Reference) -> Result<Arc<Entry>, CommitError> {
        self.root
            .find(reference)
            .cloned()
            .ok_or_else(|| CommitError::NotFound {
                reference: reference.clone(),
            })
    }

    /// The stored version, which must be there and be as expected.
    fn expected(&self, reference: &Reference, expect: &Expect) -> Result<Arc<Entry>, CommitError> {
        let stored = self.found(reference)?;
        let (metadata, reference) = (&stored.metadata, || reference.clone());
        if let Some(owner) = &expect.owner {
            check_owner(&stored, &reference(), owner)?;
        }
        if let Some(expected) = expect.uid.filter(|uid| *uid != stored.uid) {
            return Err(CommitError::Uid {
                reference: reference(),
                expected,
                actual: stored.uid,
            });
        }
        if let Some(expected) = expect.version.filter(|v| *v != metadata.version) {
            return Err(CommitError::Version {
                reference: reference(),
                expected,
                actual: metadata.version,
            });
        }
        if let Some(expected) = expect.phase.filter(|phase| *phase != metadata.phase) {
            return Err(CommitError::Phase {
                reference: reference(),
                expected,
                actual: metadata.phase,
            });
        }
        Ok(stored)
    }

    /// Stores the next version of the same incarnation.
    fn replace(&mut self, stored: &Entry, mut resource: Resource) -> Arc<Entry> {
        resource.metadata.version = stored.metadata.version.next();
        resource.metadata.created = stored.metadata.created;
        resource.metadata.updated = self.now;
        self.store(resource, stored.uid)
    }

    fn store(&mut self, mut resource: Resource, uid: Uid) -> Arc<Entry> {
        self.root.share_names(&mut resource.metadata);
        let entry = Arc::new(Entry {
            resource,
            uid,
            revision: self.revision,
            cause: Arc::clone(&self.cause),
        });
        self.root.insert(Arc::clone(&entry));
        entry
    }
}

fn check_owner(
    stored: &Entry,
    reference: &Reference,
    expected: &Arc<str>,
) -> Result<(), CommitError> {
    if stored.metadata.owner == *expected {
        return Ok(());
    }
    Err(CommitError::Owner {
        reference: reference.clone(),
        expected: Arc::clone(expected),
        actual: Arc::clone(&stored.metadata.owner),
    })
}

fn check_type(resource: &Resource) -> Result<(), CommitError> {
    match resource.spec.definition() {
        Some(definition) if *definition.ty != *resource.metadata.ty => Err(CommitError::SpecType {
            reference: resource.reference(),
            spec: definition.ty,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
