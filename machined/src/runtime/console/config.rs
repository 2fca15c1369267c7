//! What the config wants of the consoles.

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::runtime::{CONSOLE, ConsoleSpec};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.console.config" {
        reads MachineConfig;
        writes ConsoleSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put(CONSOLE, wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// The `Console`; without it everything is shown everywhere.
#[must_use]
pub fn wanted(documents: &Documents) -> ConsoleSpec {
    let console = documents.console();
    let devices = console.and_then(|it| it.devices.as_ref());
    ConsoleSpec {
        everywhere: devices.is_none(),
        devices: devices
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect(),
        kernel_level: console
            .and_then(|it| it.kernel_messages)
            .map(::config::KernelLevel::number),
    }
}
