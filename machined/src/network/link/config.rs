//! What links should be: hardware and the loopback up by default, and what the config says.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{ConfigLayer, LAYERED, LinkName, LinkSpec, LinkStatus};

use crate::network::convert;

/// The name every kernel gives its loopback.
const LOOPBACK: &str = "lo";

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "network.link.config" {
        reads MachineConfig;
        reads LinkStatus;
        shares LinkSpec: LAYERED;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        let links = view.list::<LinkStatus>();
        out.put_all(wanted(
            &documents,
            links.iter().map(|it| (it.id(), &*it.spec)),
        ));
        Ok(Outcome::Done)
    }
}

/// One spec per link that is there by default, one per `Link`.
#[must_use]
pub fn wanted<'a>(
    documents: &Documents,
    links: impl IntoIterator<Item = (&'a str, &'a LinkStatus)>,
) -> BTreeMap<String, LinkSpec> {
    let by_default = links
        .into_iter()
        .filter(|(name, status)| status.physical || *name == LOOPBACK)
        .filter_map(|(name, _)| name.parse::<LinkName>().ok())
        .map(|name| LinkSpec {
            name,
            up: true,
            mtu: None,
            layer: ConfigLayer::Default,
        })
        .map(|spec| (format!("default/{}", spec.name), spec));
    let by_config = documents
        .links()
        .map(|link| LinkSpec {
            name: convert::link_name(&link.name),
            up: link.up,
            mtu: link.mtu.map(u32::from),
            layer: ConfigLayer::Config,
        })
        .map(|spec| (format!("config/{}", spec.name), spec));
    by_default.chain(by_config).collect()
}
