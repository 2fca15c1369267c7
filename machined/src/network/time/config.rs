//! The time servers that the config names, and the one that is asked when nobody names any.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{ConfigLayer, LAYERED, TIME, TimeSpec};

/// Who is asked when neither the config nor DHCP names anybody.
///
/// One vendor alone, since there are no three that may be a product's default and agree with each other: the NTP pool wants a zone of
/// its own for each vendor, the large vendors' servers spread leap seconds each in its way, and national laboratories ask not to be
/// anybody's default. This one is offered for it, has a server near everybody, and keeps leap seconds as they are.
const DEFAULT: &str = "time.cloudflare.com";

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "network.time.config" {
        reads MachineConfig;
        shares TimeSpec: LAYERED;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// What everybody wants, and the `Time` document.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, TimeSpec> {
    let default = TimeSpec {
        servers: vec![DEFAULT.to_owned()],
        enabled: true,
        layer: ConfigLayer::Default,
    };
    let told = documents.time().map(|it| TimeSpec {
        servers: it.servers.iter().map(ToString::to_string).collect(),
        enabled: it.enabled,
        layer: ConfigLayer::Config,
    });
    let named = |layer: &str| format!("{layer}/{TIME}");
    std::iter::once((named("default"), default))
        .chain(told.map(|spec| (named("config"), spec)))
        .collect()
}
