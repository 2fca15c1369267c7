//! One name: that of the strongest source that gives one.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{HOSTNAME, HostnameSpec, LAYERED, MERGED};

use crate::network::layers;

/// The controller.
#[derive(Debug, Default)]
pub struct Merge;

cosi::declare! {
    Merge as "network.hostname.merge" {
        reads HostnameSpec: LAYERED;
        writes HostnameSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let specs = view.list::<HostnameSpec>();
        if let Some(spec) = merge(specs.iter().map(|it| (it.id(), &*it.spec))) {
            out.put(HOSTNAME, spec);
        }
        Ok(Outcome::Done)
    }
}

/// Names from the wire may be none at all; the strongest that is one wins.
#[must_use]
pub fn merge<'a>(
    specs: impl IntoIterator<Item = (&'a str, &'a HostnameSpec)>,
) -> Option<HostnameSpec> {
    layers::by_strength(specs)
        .into_iter()
        .find(|spec| is_name(spec))
        .cloned()
}

/// Whether the name is one label, and a domain would make it a whole name.
fn is_name(spec: &HostnameSpec) -> bool {
    let full = match spec.domain.as_str() {
        "" => spec.hostname.clone(),
        domain => format!("{}.{domain}", spec.hostname),
    };
    !spec.hostname.contains('.') && full.parse::<::config::Hostname>().is_ok()
}
