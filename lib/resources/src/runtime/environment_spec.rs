//! The variables that services get from the config.
//!
//! Written by machined in `runtime`, id `environment`; there is one as soon as the config was looked at, also of a node without.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const ENVIRONMENT: &str = "environment";

/// What is in the environment of services, below what each has of its own.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "EnvironmentSpecs.runtime.garboard",
    namespace = "runtime",
    sensitive,
    columns(("VARIABLES", "variables"))
)]
pub struct EnvironmentSpec {
    /// `NAME=VALUE` each, in the order of their names. The URL of a proxy may have a password in it.
    #[field(1)]
    pub variables: Vec<String>,
    /// The hash of the config that they are of, so that nothing is started with those of the config before; empty without one.
    #[field(2)]
    pub config: String,
}

impl std::fmt::Debug for EnvironmentSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.variables.iter();
        let names = names.map(|it| it.split_once('=').map_or("", |(name, _)| name));
        f.debug_list().entries(names).finish()
    }
}
