//! The modules the config names.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::runtime::KernelModuleSpec;

use crate::kubernetes::kernel;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.kernel-module.config" {
        reads MachineConfig;
        writes KernelModuleSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per `KernelModule`, and one for each that Kubernetes needs.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, KernelModuleSpec> {
    let specs = documents.kernel_modules().map(|it| {
        let parameters = it.parameters.iter();
        let parameters = parameters.map(|(name, value)| format!("{name}={value}"));
        let spec = KernelModuleSpec {
            parameters: parameters.collect(),
        };
        (it.name.to_string(), spec)
    });
    let needed = documents.kubernetes().map(|_| kernel::MODULES);
    let needed = needed.into_iter().flatten();
    needed
        .map(|name| (name.to_owned(), KernelModuleSpec::default()))
        .chain(specs)
        .collect()
}
