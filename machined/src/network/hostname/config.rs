//! The names the config, the kernel command line and the machine's id give.

use std::collections::BTreeMap;

use ::config::{Documents, Hostname};
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::net::{ConfigLayer, HOSTNAME, HostnameSpec, LAYERED};

/// The kernel argument that names the node.
const ARGUMENT: &str = "garboard.hostname";

/// The controller.
#[derive(Debug)]
pub struct Config {
    command_line: Option<Hostname>,
    by_default: Option<Hostname>,
}

cosi::declare! {
    Config as "network.hostname.config" {
        reads MachineConfig;
        shares HostnameSpec: LAYERED;
    }
}

impl Config {
    /// Knows what does not change while the machine runs: its kernel command line and its id.
    #[must_use]
    pub fn new(command_line: &str, machine_id: &str) -> Self {
        let argument = sys::cmdline::last(command_line, ARGUMENT);
        Self {
            command_line: argument.and_then(|text| {
                text.parse()
                    .inspect_err(|error| tracing::warn!(text, %error, "{ARGUMENT} is no host name"))
                    .ok()
            }),
            by_default: by_default(machine_id),
        }
    }
}

/// A name for a node that was given none: the same at every start, and others on other machines.
fn by_default(machine_id: &str) -> Option<Hostname> {
    let digits: String = machine_id.chars().take(8).collect();
    format!("garboard-{digits}").parse().ok()
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(self.wanted(&documents));
        Ok(Outcome::Done)
    }
}

impl Config {
    /// One spec per source that gives a name.
    #[must_use]
    pub fn wanted(&self, documents: &Documents) -> BTreeMap<String, HostnameSpec> {
        let by_config = documents.hostname().map(|it| &it.hostname);
        let sources = [
            ("default", ConfigLayer::Default, self.by_default.as_ref()),
            (
                "command-line",
                ConfigLayer::CommandLine,
                self.command_line.as_ref(),
            ),
            ("config", ConfigLayer::Config, by_config),
        ];
        sources
            .into_iter()
            .filter_map(|(source, layer, name)| {
                let (hostname, domain) = name?.split();
                let spec = HostnameSpec {
                    hostname: hostname.to_owned(),
                    domain: domain.to_owned(),
                    layer,
                };
                Some((format!("{source}/{HOSTNAME}"), spec))
            })
            .collect()
    }
}
