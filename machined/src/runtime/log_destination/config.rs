//! Where the config wants logs to be sent.

use ::config::{LogDestinationConfig, LogSource};
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::runtime::LogDestinationSpec;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.log-destination.config" {
        reads MachineConfig;
        writes LogDestinationSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        for destination in documents.log_destinations() {
            out.put(destination.name.as_str(), wanted(destination));
        }
        Ok(Outcome::Done)
    }
}

/// One document.
fn wanted(destination: &LogDestinationConfig) -> LogDestinationSpec {
    let tags = destination.tags.iter();
    LogDestinationSpec {
        url: destination.url.to_string(),
        kernel: destination.sources.contains(&LogSource::Kernel),
        services: destination.sources.contains(&LogSource::Services),
        tags: tags
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
    }
}
