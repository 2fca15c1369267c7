//! Each route once, from whichever source is strongest.

use std::collections::BTreeMap;

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{LAYERED, MERGED, RouteSpec};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.route.merge" {
        reads RouteSpec: LAYERED;
        writes RouteSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<RouteSpec>();
        out.put_all(merge(specs.iter().map(|it| (it.id(), &*it.spec))));
        Ok(Outcome::Done)
    }
}

/// Routes add up; only what the kernel keeps as one route is one thing.
#[must_use]
pub fn merge<'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a RouteSpec)>,
) -> BTreeMap<String, RouteSpec> {
    layers::strongest(specs, RouteSpec::merged_id)
}
