//! Names of this machine itself, and those the config gives.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{ConfigLayer, LAYERED, StaticHostSpec};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "network.static-host.config" {
        reads MachineConfig;
        shares StaticHostSpec: LAYERED;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per `StaticHost`, and the names of the loopback that programs take for granted.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, StaticHostSpec> {
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let local = |name: &str, addresses: Vec<IpAddr>, aliases: Vec<String>| StaticHostSpec {
        name: name.to_owned(),
        addresses,
        aliases,
        layer: ConfigLayer::Default,
    };
    let always = [
        local(
            "localhost",
            vec![Ipv4Addr::LOCALHOST.into(), v6],
            Vec::new(),
        ),
        local("ip6-localhost", vec![v6], vec!["ip6-loopback".to_owned()]),
    ];
    let told = documents.static_hosts().map(|it| StaticHostSpec {
        name: it.name.to_string(),
        addresses: it.addresses.clone(),
        aliases: it.aliases.iter().map(ToString::to_string).collect(),
        layer: ConfigLayer::Config,
    });
    always
        .into_iter()
        .map(|spec| (format!("default/{}", spec.name), spec))
        .chain(told.map(|spec| (format!("config/{}", spec.name), spec)))
        .collect()
}
