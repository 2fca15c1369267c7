//! Which links ask for an IPv4 address: every physical one, unless the config says otherwise.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{ConfigLayer, DEFAULT_METRIC, Dhcp4Spec, LAYERED, LinkName, LinkStatus};

use crate::network::convert;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "network.dhcp4.config" {
        reads MachineConfig;
        reads LinkStatus;
        shares Dhcp4Spec: LAYERED;
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

/// One spec per physical link by default; per `Dhcp4`, one that repeats it; per other `Link` that
/// has addresses or is down, one that says no.
#[must_use]
pub fn wanted<'a>(
    documents: &Documents,
    links: impl IntoIterator<Item = (&'a str, &'a LinkStatus)>,
) -> BTreeMap<String, Dhcp4Spec> {
    let by_default = links
        .into_iter()
        .filter(|(_, status)| status.physical)
        .filter_map(|(name, _)| name.parse::<LinkName>().ok())
        .map(|link| spec(link, true, DEFAULT_METRIC, ConfigLayer::Default))
        .map(|spec| (format!("default/{}", spec.link), spec));
    let switched_off = documents
        .links()
        .filter(|link| !link.up || !link.addresses.is_empty())
        .map(|link| {
            spec(
                convert::link_name(&link.name),
                false,
                DEFAULT_METRIC,
                ConfigLayer::Config,
            )
        });
    let said = documents.dhcp4().map(|it| {
        spec(
            convert::link_name(&it.name),
            it.enabled,
            it.metric,
            ConfigLayer::Config,
        )
    });
    // A `Dhcp4` comes last and so replaces what its `Link` implies.
    let by_config = switched_off
        .chain(said)
        .map(|spec| (format!("config/{}", spec.link), spec));
    by_default.chain(by_config).collect()
}

fn spec(link: LinkName, enabled: bool, metric: u32, layer: ConfigLayer) -> Dhcp4Spec {
    Dhcp4Spec {
        link,
        enabled,
        metric,
        layer,
    }
}
