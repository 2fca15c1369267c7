//! Which of several specs of one thing wins. Pure.

use std::collections::BTreeMap;

use resources::net::ConfigLayer;

/// A spec that one of several sources wrote.
pub(super) trait Layered {
    /// The source.
    fn layer(&self) -> ConfigLayer;
}

macro_rules! layered {
    ($($spec:ident)*) => {
        $(impl Layered for resources::net::$spec {
            fn layer(&self) -> ConfigLayer {
                self.layer
            }
        })*
    };
}

layered!(AddressSpec Dhcp4Spec HostnameSpec LinkSpec ResolverSpec RouteSpec StaticHostSpec TimeSpec);

/// The specs by strength: the strongest layer first, within a layer by id, so that two operators
/// of one rank always come out the same.
pub(super) fn by_strength<'a, S: Layered>(
    specs: impl IntoIterator<Item = (&'a str, &'a S)>,
) -> Vec<&'a S> {
    let mut specs: Vec<(&str, &S)> = specs.into_iter().collect();
    specs.sort_by(|(left_id, left), (right_id, right)| {
        right.layer().cmp(&left.layer()).then(left_id.cmp(right_id))
    });
    specs.into_iter().map(|(_, spec)| spec).collect()
}

/// For each thing the strongest spec, whole.
pub(super) fn strongest<'a, S: Layered + Clone + 'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a S)>,
    thing: impl Fn(&S) -> String,
) -> BTreeMap<String, S> {
    let mut merged = BTreeMap::new();
    for spec in by_strength(specs) {
        merged.entry(thing(spec)).or_insert_with(|| spec.clone());
    }
    merged
}
