//! The authorities the config names.

use std::collections::BTreeMap;

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::runtime::TrustedRootsSpec;

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.trusted-roots.config" {
        reads MachineConfig;
        writes TrustedRootsSpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per `TrustedRoots`.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, TrustedRootsSpec> {
    let specs = documents.trusted_roots().map(|it| {
        let spec = TrustedRootsSpec {
            certificates: it.certificates.as_pem().to_owned(),
        };
        (it.name.to_string(), spec)
    });
    specs.collect()
}
