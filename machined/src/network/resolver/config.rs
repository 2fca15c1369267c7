//! Name servers the config names.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{ConfigLayer, LAYERED, RESOLVERS, ResolverSpec};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "network.resolver.config" {
        reads MachineConfig;
        shares ResolverSpec: LAYERED;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// The `Resolver`, if there is one. There is no default: a node asks nobody it was not told of.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, ResolverSpec> {
    let spec = documents.resolver().map(|it| ResolverSpec {
        servers: it.servers.clone(),
        search: Vec::new(),
        layer: ConfigLayer::Config,
    });
    spec.map(|spec| (format!("config/{RESOLVERS}"), spec))
        .into_iter()
        .collect()
}
