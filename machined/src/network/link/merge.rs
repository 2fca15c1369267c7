//! Each link once: up or down as the strongest source says, the MTU of the strongest that names
//! one.

use std::collections::BTreeMap;

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{LAYERED, LinkSpec, MERGED};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.link.merge" {
        reads LinkSpec: LAYERED;
        writes LinkSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<LinkSpec>();
        out.put_all(merge(specs.iter().map(|it| (it.id(), &*it.spec))));
        Ok(Outcome::Done)
    }
}

/// Merged by field: a source that only wants the link up does not undo another's MTU.
#[must_use]
pub fn merge<'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a LinkSpec)>,
) -> BTreeMap<String, LinkSpec> {
    let mut merged: BTreeMap<String, LinkSpec> = BTreeMap::new();
    for spec in layers::by_strength(specs) {
        merged
            .entry(spec.name.to_string())
            .and_modify(|it| it.mtu = it.mtu.or(spec.mtu))
            .or_insert_with(|| spec.clone());
    }
    merged
}
