//! Addresses the config gives to links.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{AddressSpec, ConfigLayer, LAYERED};

use crate::network::convert;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "network.address.config" {
        reads MachineConfig;
        shares AddressSpec: LAYERED;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per address of every `Link`.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, AddressSpec> {
    let specs = documents.links().flat_map(|link| {
        link.addresses.iter().map(|cidr| AddressSpec {
            address: convert::address(cidr),
            link: convert::link_name(&link.name),
            layer: ConfigLayer::Config,
        })
    });
    specs
        .map(|spec| (format!("config/{}", spec.merged_id()), spec))
        .collect()
}
