//! Routes the config sends over links.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{ConfigLayer, LAYERED, RouteSpec};

use crate::network::convert;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "network.route.config" {
        reads MachineConfig;
        shares RouteSpec: LAYERED;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per route of every `Link` that is up: the kernel keeps no route over one that is down.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, RouteSpec> {
    let specs = documents.links().filter(|link| link.up).flat_map(|link| {
        link.routes.iter().map(|route| RouteSpec {
            destination: convert::network(&route.to()),
            gateway: route.via(),
            link: convert::link_name(&link.name),
            metric: route.metric(),
            layer: ConfigLayer::Config,
            ..RouteSpec::default()
        })
    });
    specs
        .map(|spec| (format!("config/{}", spec.merged_id()), spec))
        .collect()
}
