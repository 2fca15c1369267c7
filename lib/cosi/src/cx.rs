//! What a run is given: a snapshot of its inputs to read, a stage for its outputs, and leave to delete.
//!
//! Reads show one revision from beginning to end, not what the run itself has staged. Nothing leaves the stage before
//! the run has ended well.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use store::{Phase, Snapshot, Spec, Typed};

use crate::board::{Board, SlotId};
use crate::declare::{Declare, Holds, Reads, Writes};
use crate::stage::Stage;

/// A namespace was used that the controller did not declare for this type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{controller} did not declare {ty} in namespace {namespace:?}")]
pub struct Undeclared {
    /// The controller.
    pub controller: &'static str,
    /// The type.
    pub ty: &'static str,
    /// The namespace.
    pub namespace: String,
}

/// The inputs of a controller at one revision.
pub struct View<C> {
    snapshot: Snapshot,
    controller: PhantomData<fn() -> C>,
}

impl<C: Declare> View<C> {
    /// For runs of the runtime, and for testing a [`Transform`](crate::Transform) without one.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            controller: PhantomData,
        }
    }

    /// One wanted resource of an input, in the first namespace declared for it; not one that is on its way out.
    #[must_use]
    pub fn get<S: Spec>(&self, id: &str) -> Option<Typed<S>>
    where
        C: Reads<S>,
    {
        self.get_any(id).filter(running)
    }

    /// The same, whatever its phase.
    #[must_use]
    pub fn get_any<S: Spec>(&self, id: &str) -> Option<Typed<S>>
    where
        C: Reads<S>,
    {
        self.snapshot.get_as(<C as Reads<S>>::NAMESPACE, id)
    }

    /// The wanted resources of an input by id, in the first namespace declared for it; not those on their way out.
    #[must_use]
    pub fn list<S: Spec>(&self) -> Vec<Typed<S>>
    where
        C: Reads<S>,
    {
        let all = self.snapshot.list_as(<C as Reads<S>>::NAMESPACE);
        all.filter(running).collect()
    }

    /// The same, whatever their phase.
    #[must_use]
    pub fn list_any<S: Spec>(&self) -> Vec<Typed<S>>
    where
        C: Reads<S>,
    {
        self.snapshot.list_as(<C as Reads<S>>::NAMESPACE).collect()
    }

    /// The wanted resources of an input in another of its declared namespaces.
    ///
    /// # Errors
    /// When the namespace was not declared.
    pub fn list_in<S: Spec>(&self, namespace: &str) -> Result<Vec<Typed<S>>, Undeclared>
    where
        C: Reads<S>,
    {
        let declared = C::INPUTS
            .iter()
            .any(|input| input.ty == S::DEFINITION.ty && input.namespace == namespace);
        if !declared {
            return Err(undeclared::<C, S>(namespace));
        }
        Ok(self.snapshot.list_as(namespace).filter(running).collect())
    }

    /// What this controller itself has written of an output, by id, wherever it declared it, in any phase.
    #[must_use]
    pub fn mine<S: Spec>(&self) -> Vec<Typed<S>>
    where
        C: Writes<S>,
    {
        C::OUTPUTS
            .iter()
            .filter(|output| output.ty == S::DEFINITION.ty)
            .flat_map(|output| self.snapshot.list_as::<S>(output.namespace))
            .filter(|typed| &*typed.metadata.owner == C::NAME)
            .collect()
    }

    /// The revision all of this is of.
    #[must_use]
    pub fn revision(&self) -> store::Revision {
        self.snapshot.revision()
    }
}

impl<C> fmt::Debug for View<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("revision", &self.snapshot.revision())
            .finish_non_exhaustive()
    }
}

fn running<S: Spec>(typed: &Typed<S>) -> bool {
    typed.metadata.phase == Phase::Running
}

fn undeclared<C: Declare, S: Spec>(namespace: &str) -> Undeclared {
    Undeclared {
        controller: C::NAME,
        ty: S::DEFINITION.ty,
        namespace: namespace.to_owned(),
    }
}

/// One output to be: an id, what it says, and labels to find it by.
#[derive(Clone, Debug)]
pub struct Put<S> {
    id: String,
    spec: S,
    labels: Vec<(String, String)>,
}

impl<S: Spec> Put<S> {
    /// Without labels.
    pub fn new(id: impl Into<String>, spec: S) -> Self {
        Self {
            id: id.into(),
            spec,
            labels: Vec::new(),
        }
    }

    /// The same with one label more.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }
}

/// The outputs a run wants, staged until it ends well.
pub struct Outputs<C> {
    stage: Stage,
    controller: PhantomData<fn() -> C>,
}

impl<C: Declare> Default for Outputs<C> {
    fn default() -> Self {
        Self {
            stage: Stage::new(C::NAME, C::OUTPUTS),
            controller: PhantomData,
        }
    }
}

impl<C: Declare> Outputs<C> {
    /// Wants this output in the first namespace declared for it. Nothing is written if it is like that already.
    pub fn put<S: Spec>(&mut self, id: impl Into<String>, spec: S)
    where
        C: Writes<S>,
    {
        self.put_as(Put::new(id, spec));
    }

    /// The same, with labels.
    pub fn put_as<S: Spec>(&mut self, put: Put<S>)
    where
        C: Writes<S>,
    {
        self.stage
            .put(<C as Writes<S>>::NAMESPACE, put.id, put.spec, put.labels);
    }

    /// Wants all these outputs, by id.
    pub fn put_all<S: Spec>(&mut self, specs: impl IntoIterator<Item = (String, S)>)
    where
        C: Writes<S>,
    {
        for (id, spec) in specs {
            self.put(id, spec);
        }
    }

    /// The same in another of its declared namespaces.
    ///
    /// # Errors
    /// When the namespace was not declared.
    pub fn put_in<S: Spec>(&mut self, namespace: &str, put: Put<S>) -> Result<(), Undeclared>
    where
        C: Writes<S>,
    {
        let declared = C::OUTPUTS
            .iter()
            .any(|output| output.ty == S::DEFINITION.ty && output.namespace == namespace);
        if !declared {
            return Err(undeclared::<C, S>(namespace));
        }
        self.stage.put(namespace, put.id, put.spec, put.labels);
        Ok(())
    }

    /// Does not want this output any more: it is torn down, and destroyed once nobody holds it.
    pub fn remove<S: Spec>(&mut self, id: &str)
    where
        C: Writes<S>,
    {
        self.stage
            .remove(<C as Writes<S>>::NAMESPACE, S::DEFINITION.ty, id);
    }

    /// What this run does not put of `S` is not wanted any more.
    pub fn replace<S: Spec>(&mut self)
    where
        C: Writes<S>,
    {
        self.stage.replace(|output| output.ty == S::DEFINITION.ty);
    }

    /// What this run does not put, of any output, is not wanted any more.
    pub fn replace_all(&mut self) {
        self.stage.replace(|_| true);
    }

    /// Keeps an input from being destroyed until [`release`](Self::release). Refused, as an error of the run, when it
    /// is on its way out already.
    pub fn hold<S: Spec>(&mut self, id: &str)
    where
        C: Holds<S>,
    {
        self.stage
            .hold(<C as Reads<S>>::NAMESPACE, S::DEFINITION.ty, id);
    }

    /// Lets an input go.
    pub fn release<S: Spec>(&mut self, id: &str)
    where
        C: Holds<S>,
    {
        self.stage
            .release(<C as Reads<S>>::NAMESPACE, S::DEFINITION.ty, id);
    }

    /// What is staged of `S`, by namespace and id: for testing a [`Transform`](crate::Transform) without a runtime.
    pub fn staged<S: Spec>(&self) -> impl Iterator<Item = (&str, &S)>
    where
        C: Writes<S>,
    {
        self.stage.staged()
    }

    pub(crate) fn into_stage(self) -> Stage {
        self.stage
    }
}

impl<C> fmt::Debug for Outputs<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// What a run of a controller with effects is given.
pub struct Cx<'a, C> {
    pub(crate) view: View<C>,
    pub(crate) out: Outputs<C>,
    pub(crate) board: &'a Board,
    pub(crate) slot: SlotId,
    pub(crate) now: Timestamp,
}

impl<C: Declare> Cx<'_, C> {
    /// The inputs and the outputs, to be borrowed apart.
    pub fn parts(&mut self) -> (&View<C>, &mut Outputs<C>) {
        (&self.view, &mut self.out)
    }

    /// [`View::get`].
    #[must_use]
    pub fn get<S: Spec>(&self, id: &str) -> Option<Typed<S>>
    where
        C: Reads<S>,
    {
        self.view.get(id)
    }

    /// [`View::list`].
    #[must_use]
    pub fn list<S: Spec>(&self) -> Vec<Typed<S>>
    where
        C: Reads<S>,
    {
        self.view.list()
    }

    /// [`View::mine`].
    #[must_use]
    pub fn mine<S: Spec>(&self) -> Vec<Typed<S>>
    where
        C: Writes<S>,
    {
        self.view.mine()
    }

    /// [`Outputs::put`].
    pub fn put<S: Spec>(&mut self, id: impl Into<String>, spec: S)
    where
        C: Writes<S>,
    {
        self.out.put(id, spec);
    }

    /// [`Outputs::remove`].
    pub fn remove<S: Spec>(&mut self, id: &str)
    where
        C: Writes<S>,
    {
        self.out.remove::<S>(id);
    }

    /// [`Outputs::replace`].
    pub fn replace<S: Spec>(&mut self)
    where
        C: Writes<S>,
    {
        self.out.replace::<S>();
    }

    /// [`Outputs::hold`].
    pub fn hold<S: Spec>(&mut self, id: &str)
    where
        C: Holds<S>,
    {
        self.out.hold::<S>(id);
    }

    /// [`Outputs::release`].
    pub fn release<S: Spec>(&mut self, id: &str)
    where
        C: Holds<S>,
    {
        self.out.release::<S>(id);
    }

    /// Whether what is absent from the inputs may be taken for unwanted, and removed from the world: the state's own
    /// runtime has come to rest in this epoch, and if it is another process's, the connection is whole.
    ///
    /// While it says no, add and change, never remove what this run did not itself make new; the controller is run
    /// again when the answer becomes yes.
    #[must_use]
    pub fn deletions_allowed(&self) -> bool {
        self.board.ask_leave(self.slot)
    }

    /// The time of this run.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

impl<C> fmt::Debug for Cx<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("view", &self.view)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}
