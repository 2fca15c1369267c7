//! One list of time servers: that of the strongest source that has any.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{LAYERED, MERGED, TIME, TimeSpec};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.time.merge" {
        reads TimeSpec: LAYERED;
        writes TimeSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<TimeSpec>();
        if let Some(spec) = merge(specs.iter().map(|it| (it.id(), &*it.spec))) {
            out.put(TIME, spec);
        }
        Ok(Outcome::Done)
    }
}

/// The servers of the strongest layer that names any, those of several links of one layer together; nobody is asked when the
/// strongest layer of all says so.
#[must_use]
pub fn merge<'a>(specs: impl IntoIterator<Item = (&'a str, &'a TimeSpec)>) -> Option<TimeSpec> {
    let specs = layers::by_strength(specs);
    let enabled = specs.first()?.enabled;
    let layer = specs.iter().find(|it| !it.servers.is_empty())?.layer;
    let mut servers: Vec<String> = Vec::new();
    for server in specs
        .iter()
        .filter(|it| it.layer == layer)
        .flat_map(|it| &it.servers)
    {
        if !servers.contains(server) {
            servers.push(server.clone());
        }
    }
    Some(TimeSpec {
        servers,
        enabled,
        layer,
    })
}
