//! One answer per link, from the strongest source.

use std::collections::BTreeMap;

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{Dhcp4Spec, LAYERED, MERGED};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.dhcp4.merge" {
        reads Dhcp4Spec: LAYERED;
        writes Dhcp4Spec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<Dhcp4Spec>();
        out.put_all(merge(specs.iter().map(|it| (it.id(), &*it.spec))));
        Ok(Outcome::Done)
    }
}

/// The strongest source has the whole say about a link.
#[must_use]
pub fn merge<'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a Dhcp4Spec)>,
) -> BTreeMap<String, Dhcp4Spec> {
    layers::strongest(specs, |spec| spec.link.to_string())
}
