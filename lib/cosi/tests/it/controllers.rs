//! The controllers that the tests share.

use cosi::status::{ControllerStatus, RuntimeStatus};
use cosi::{Controller, Cx, Dirty, Error, Outcome, Outputs, Transform, View};
use store::{Phase, Reference, Spec, Store};

use crate::common::{Number, Text};

/// Numbers to texts: lists in, map out.
pub(crate) struct Spell;

cosi::declare! {
    Spell as "test.spell" {
        reads Number;
        writes Text;
    }
}

impl Transform for Spell {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        for number in view.list::<Number>() {
            let text = number.spec.value.to_string();
            out.put(number.id(), Text { text });
        }
        Ok(Outcome::Done)
    }
}

/// What a script is.
pub(crate) type Step = Box<dyn FnMut(&mut Cx<'_, Script>, &Dirty) -> Result<Outcome, Error> + Send>;

/// A controller that does what a closure says.
pub(crate) struct Script(Step);

cosi::declare! {
    Script as "test.script" {
        reads Number;
        writes Text;
    }
}

impl Controller for Script {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        (self.0)(cx, dirty)
    }
}

pub(crate) fn script(
    step: impl FnMut(&mut Cx<'_, Script>, &Dirty) -> Result<Outcome, Error> + Send + 'static,
) -> Script {
    Script(Box::new(step))
}

pub(crate) fn text_reference(id: &str) -> Reference {
    Reference::new("out", Text::DEFINITION.ty, id)
}

pub(crate) fn controller_status(store: &Store, name: &str) -> Option<ControllerStatus> {
    store
        .snapshot()
        .get_as::<ControllerStatus>("runtime", name)
        .map(|typed| ControllerStatus::clone(&typed.spec))
}

pub(crate) fn runtime_status(store: &Store, name: &str) -> Option<RuntimeStatus> {
    store
        .snapshot()
        .get_as::<RuntimeStatus>("runtime", name)
        .map(|typed| RuntimeStatus::clone(&typed.spec))
}

/// Reads what it may hold.
pub(crate) struct Holder;

cosi::declare! {
    Holder as "test.holder" {
        holds Number;
        writes Text;
    }
}

impl Controller for Holder {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let (view, out) = cx.parts();
        for number in view.list_any::<Number>() {
            match number.metadata.phase {
                Phase::Running => {
                    out.hold::<Number>(number.id());
                    out.put(number.id(), Text::default());
                }
                Phase::TearingDown => {
                    out.remove::<Text>(number.id());
                    out.release::<Number>(number.id());
                }
            }
        }
        Ok(Outcome::Done)
    }
}
