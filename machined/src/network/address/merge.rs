//! Each address once, from whichever source is strongest.

use std::collections::BTreeMap;

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{AddressSpec, LAYERED, MERGED};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.address.merge" {
        reads AddressSpec: LAYERED;
        writes AddressSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<AddressSpec>();
        out.put_all(merge(specs.iter().map(|it| (it.id(), &*it.spec))));
        Ok(Outcome::Done)
    }
}

/// Addresses add up; only the same address on the same link is one thing.
#[must_use]
pub fn merge<'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a AddressSpec)>,
) -> BTreeMap<String, AddressSpec> {
    layers::strongest(specs, AddressSpec::merged_id)
}
