//! The settings the config names.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::runtime::KernelParamSpec;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.kernel-param.config" {
        reads MachineConfig;
        writes KernelParamSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per `Sysctl`. There are no defaults: what a node is to have without a config, init has set by then.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, KernelParamSpec> {
    let specs = documents.sysctls().map(|it| {
        let value = it.value().to_string();
        (it.key().to_string(), KernelParamSpec { value })
    });
    specs.collect()
}
