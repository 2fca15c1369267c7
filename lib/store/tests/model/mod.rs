//! Random transactions over a few ids, and the simplest store that could do them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use store::{
    CommitError, Committed, Entry, Expect, Op, Phase, Reference, Resource, Spec, Transaction,
    Version,
};

/// The namespace of all of them.
pub(crate) const NS: &str = "test";
/// Their type.
pub(crate) const TY: &str = Number::DEFINITION.ty;

/// A number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Numbers.test.example", namespace = "test")]
pub(crate) struct Number {
    #[field(1)]
    pub(crate) value: u32,
}

/// One operation, small enough to happen often to the same resource.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create(u8, u32, bool),
    Update(u8, u32, bool, bool),
    Put(u8, u32, bool),
    Destroy(u8),
    Teardown(u8),
    AddFinalizer(u8, u8, bool),
    RemoveFinalizer(u8, u8),
    Require(u8, bool),
    RequireAbsent(u8),
}

/// A transaction: who asks, and for what.
pub(crate) type Steps = (u8, Vec<Step>);

pub(crate) fn transactions(count: usize) -> impl Strategy<Value = Vec<Steps>> {
    let id = || 0u8..4;
    let step = prop_oneof![
        2 => (id(), any::<u32>(), any::<bool>()).prop_map(|(i, v, l)| Step::Create(i, v, l)),
        3 => (id(), any::<u32>(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(i, v, l, stale)| Step::Update(i, v, l, stale)),
        6 => (id(), 0u32..3, any::<bool>()).prop_map(|(i, v, l)| Step::Put(i, v, l)),
        4 => id().prop_map(Step::Destroy),
        1 => id().prop_map(Step::Teardown),
        1 => (id(), 0u8..2, any::<bool>()).prop_map(|(i, f, s)| Step::AddFinalizer(i, f, s)),
        3 => (id(), 0u8..2).prop_map(|(i, f)| Step::RemoveFinalizer(i, f)),
        1 => (id(), any::<bool>()).prop_map(|(i, running)| Step::Require(i, running)),
        1 => id().prop_map(Step::RequireAbsent),
    ];
    let owner = prop_oneof![9 => Just(0u8), 1 => Just(1u8)];
    let steps = prop::collection::vec(step, 1..4);
    prop::collection::vec((owner, steps), 0..count)
}

fn owner(number: u8) -> String {
    if number == 0 { "" } else { "ctl" }.to_owned()
}

fn finalizer(number: u8) -> String {
    format!("f{number}")
}

fn reference(id: u8) -> Reference {
    Reference::new(NS, TY, id.to_string())
}

fn resource(id: u8, value: u32, label: bool) -> Resource {
    let resource = Resource::in_default(id.to_string(), Number { value });
    if label {
        resource.with_label("wanted", "yes")
    } else {
        resource
    }
}

/// What is known of a stored resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) value: u32,
    pub(crate) label: bool,
    pub(crate) version: u64,
    owner: String,
    tearing_down: bool,
    finalizers: BTreeSet<String>,
}

impl Known {
    pub(crate) fn of(entry: &Entry) -> Self {
        let metadata = &entry.metadata;
        Self {
            value: entry.spec::<Number>().expect("a number").value,
            label: metadata.labels.contains_key("wanted"),
            version: metadata.version.0,
            owner: metadata.owner.to_string(),
            tearing_down: metadata.phase == Phase::TearingDown,
            finalizers: metadata.finalizers.names().iter().cloned().collect(),
        }
    }
}

/// Why the model refuses.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    NotFound,
    Exists,
    Owner,
    Version,
    Phase,
    Held,
    /// Nothing the steps can ask for.
    Unexpected(String),
}

impl From<&CommitError> for Refusal {
    fn from(error: &CommitError) -> Self {
        match error {
            CommitError::NotFound { .. } => Self::NotFound,
            CommitError::Exists { .. } => Self::Exists,
            CommitError::Owner { .. } => Self::Owner,
            CommitError::Version { .. } => Self::Version,
            CommitError::Phase { .. } => Self::Phase,
            CommitError::Held { .. } => Self::Held,
            other => Self::Unexpected(other.to_string()),
        }
    }
}

/// The simplest store that could do it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) known: BTreeMap<String, Known>,
    floor: u64,
}

impl Model {
    /// The transaction for the store, made from what the model knows.
    pub(crate) fn transaction(&self, (who, steps): &Steps) -> Transaction {
        let mut planned = self.clone();
        let mut transaction = Transaction::new("user").owner(owner(*who));
        for step in steps {
            transaction.push(planned.op(step));
            // What comes later is written against what the store will hold by then.
            if planned.step(*who, step).is_err() {
                break;
            }
        }
        transaction
    }

    fn op(&self, step: &Step) -> Op {
        match *step {
            Step::Create(id, value, label) => Op::Create(resource(id, value, label)),
            Step::Update(id, value, label, stale) => {
                let mut resource = resource(id, value, label);
                let known = self.known.get(&id.to_string());
                let version = known.map_or(1, |known| known.version) - u64::from(stale);
                resource.metadata.version = Version(version);
                let known = known.map(|known| known.finalizers.clone());
                resource.metadata.finalizers = known.unwrap_or_default().iter().collect();
                let expect = Expect::running().version(Version(version));
                Op::Update(resource, expect)
            }
            Step::Put(id, value, label) => Op::Put(resource(id, value, label)),
            Step::Destroy(id) => Op::Destroy(reference(id), Expect::ANY),
            Step::Teardown(id) => Op::Teardown(reference(id), Expect::ANY),
            Step::AddFinalizer(id, name, strict) => {
                let expect = if strict {
                    Expect::running()
                } else {
                    Expect::ANY
                };
                Op::AddFinalizer(reference(id), finalizer(name), expect)
            }
            Step::RemoveFinalizer(id, name) => Op::RemoveFinalizer(reference(id), finalizer(name)),
            Step::Require(id, running) => {
                let expect = if running {
                    Expect::running()
                } else {
                    Expect::ANY
                };
                Op::Require(reference(id), expect)
            }
            Step::RequireAbsent(id) => Op::RequireAbsent(reference(id)),
        }
    }

    /// All steps or none.
    pub(crate) fn apply(&mut self, (who, steps): &Steps) -> Result<(), Refusal> {
        let mut next = self.clone();
        for step in steps {
            next.step(*who, step)?;
        }
        *self = next;
        Ok(())
    }

    fn mine(&mut self, who: u8, id: u8) -> Result<&mut Known, Refusal> {
        let known = self
            .known
            .get_mut(&id.to_string())
            .ok_or(Refusal::NotFound)?;
        if known.owner == owner(who) {
            Ok(known)
        } else {
            Err(Refusal::Owner)
        }
    }

    fn create(&mut self, who: u8, id: u8, value: u32, label: bool) -> Result<(), Refusal> {
        let created = Known {
            value,
            label,
            version: self.floor + 1,
            owner: owner(who),
            tearing_down: false,
            finalizers: BTreeSet::new(),
        };
        match self.known.insert(id.to_string(), created) {
            Some(_) => Err(Refusal::Exists),
            None => Ok(()),
        }
    }

    fn write(&mut self, who: u8, id: u8, value: u32, label: bool) -> Result<(), Refusal> {
        let known = self.mine(who, id)?;
        if known.tearing_down {
            return Err(Refusal::Phase);
        }
        known.version += 1;
        (known.value, known.label) = (value, label);
        Ok(())
    }

    fn put(&mut self, who: u8, id: u8, value: u32, label: bool) -> Result<(), Refusal> {
        let Some(known) = self.known.get(&id.to_string()) else {
            return self.create(who, id, value, label);
        };
        let same = (known.value, known.label) == (value, label);
        if same && !known.tearing_down {
            return self.mine(who, id).map(|_| ());
        }
        self.write(who, id, value, label)
    }

    fn destroy(&mut self, who: u8, id: u8) -> Result<(), Refusal> {
        let known = self.mine(who, id)?;
        if !known.finalizers.is_empty() {
            return Err(Refusal::Held);
        }
        let version = known.version;
        self.floor = self.floor.max(version);
        self.known.remove(&id.to_string());
        Ok(())
    }

    fn step(&mut self, who: u8, step: &Step) -> Result<(), Refusal> {
        match *step {
            Step::Create(id, value, label) => self.create(who, id, value, label),
            Step::Update(id, value, label, stale) => {
                self.mine(who, id)?;
                if stale {
                    return Err(Refusal::Version);
                }
                self.write(who, id, value, label)
            }
            Step::Put(id, value, label) => self.put(who, id, value, label),
            Step::Destroy(id) => self.destroy(who, id),
            Step::Teardown(id) => {
                let known = self.mine(who, id)?;
                known.version += u64::from(!known.tearing_down);
                known.tearing_down = true;
                Ok(())
            }
            Step::AddFinalizer(id, name, strict) => {
                let known = self
                    .known
                    .get_mut(&id.to_string())
                    .ok_or(Refusal::NotFound)?;
                if strict && known.tearing_down {
                    return Err(Refusal::Phase);
                }
                known.version += u64::from(known.finalizers.insert(finalizer(name)));
                Ok(())
            }
            Step::RemoveFinalizer(id, name) => {
                if let Some(known) = self.known.get_mut(&id.to_string()) {
                    known.version += u64::from(known.finalizers.remove(&finalizer(name)));
                }
                Ok(())
            }
            Step::Require(id, running) => {
                let known = self.known.get(&id.to_string()).ok_or(Refusal::NotFound)?;
                if running && known.tearing_down {
                    return Err(Refusal::Phase);
                }
                Ok(())
            }
            Step::RequireAbsent(id) if self.known.contains_key(&id.to_string()) => {
                Err(Refusal::Exists)
            }
            Step::RequireAbsent(_) => Ok(()),
        }
    }
}

/// Does one transaction on both and compares what they say.
pub(crate) fn both(
    store: &store::Store,
    model: &mut Model,
    steps: &Steps,
) -> Result<Option<Committed>, TestCaseError> {
    let transaction = model.transaction(steps);
    let expected = model.apply(steps);
    let outcome = store.commit(transaction, jiff::Timestamp::UNIX_EPOCH);
    match (outcome, expected) {
        (Ok(done), Ok(())) => Ok(Some(done)),
        (Err(error), Err(refusal)) => {
            prop_assert_eq!(Refusal::from(&error), refusal);
            Ok(None)
        }
        (outcome, expected) => Err(TestCaseError::fail(format!("{outcome:?}, {expected:?}"))),
    }
}
