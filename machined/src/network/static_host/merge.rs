//! Each name once, from whichever source is strongest.

use std::collections::BTreeMap;

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{LAYERED, MERGED, StaticHostSpec};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.static-host.merge" {
        reads StaticHostSpec: LAYERED;
        writes StaticHostSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<StaticHostSpec>();
        out.put_all(merge(specs.iter().map(|it| (it.id(), &*it.spec))));
        Ok(Outcome::Done)
    }
}

/// What a name means is not pieced together: the strongest source says all of it.
#[must_use]
pub fn merge<'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a StaticHostSpec)>,
) -> BTreeMap<String, StaticHostSpec> {
    layers::strongest(specs, |spec| spec.name.clone())
}
