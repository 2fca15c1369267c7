//! One list of name servers: that of the strongest source that has any.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{LAYERED, MERGED, RESOLVERS, ResolverSpec};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.resolver.merge" {
        reads ResolverSpec: LAYERED;
        writes ResolverSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<ResolverSpec>();
        if let Some(spec) = merge(specs.iter().map(|it| (it.id(), &*it.spec))) {
            out.put(RESOLVERS, spec);
        }
        Ok(Outcome::Done)
    }
}

/// The servers of the strongest layer that names any, those of several links of one layer one after
/// the other; the same for search domains. `None` when nobody names a server.
#[must_use]
pub fn merge<'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a ResolverSpec)>,
) -> Option<ResolverSpec> {
    let specs = layers::by_strength(specs);
    let layer = specs.iter().find(|it| !it.servers.is_empty())?.layer;
    let mut merged = ResolverSpec {
        layer,
        ..ResolverSpec::default()
    };
    for server in specs
        .iter()
        .filter(|it| it.layer == layer)
        .flat_map(|it| &it.servers)
    {
        if !merged.servers.contains(server) {
            merged.servers.push(*server);
        }
    }
    let searching = specs
        .iter()
        .find(|it| !it.search.is_empty())
        .map(|it| it.layer);
    let domains = specs.iter().filter(|it| Some(it.layer) == searching);
    for domain in domains.flat_map(|it| &it.search) {
        if !merged.search.contains(domain) {
            merged.search.push(domain.clone());
        }
    }
    Some(merged)
}
