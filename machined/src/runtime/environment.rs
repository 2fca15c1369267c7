//! The variables that the config has for services.

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::{ACTIVE, MachineConfig};
use resources::runtime::{ENVIRONMENT, EnvironmentSpec};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.environment.config" {
        reads MachineConfig;
        writes EnvironmentSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        let config = view.get::<MachineConfig>(ACTIVE);
        let spec = EnvironmentSpec {
            variables: wanted(&documents),
            config: config.map(|it| it.spec.hash.clone()).unwrap_or_default(),
        };
        out.put(ENVIRONMENT, spec);
        Ok(Outcome::Done)
    }
}

/// What the `Environment` has, `NAME=VALUE` each; without it there are no variables.
#[must_use]
pub fn wanted(documents: &Documents) -> Vec<String> {
    let all = documents
        .environment()
        .map(::config::EnvironmentConfig::all);
    let all = all.unwrap_or_default().into_iter();
    all.map(|(name, value)| format!("{name}={value}")).collect()
}
