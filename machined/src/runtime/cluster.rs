//! Which cluster the config has the node in.

use ::config::Documents;
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::runtime::{CLUSTER, ClusterInfo};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "runtime.cluster.config" {
        reads MachineConfig;
        writes ClusterInfo;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        if let Some(info) = wanted(&documents) {
            out.put(CLUSTER, info);
        }
        Ok(Outcome::Done)
    }
}

/// The `ClusterIdentity`, if there is one.
#[must_use]
pub fn wanted(documents: &Documents) -> Option<ClusterInfo> {
    let identity = documents.cluster_identity()?;
    Some(ClusterInfo {
        cluster: identity.cluster.to_string(),
        cluster_id: identity.id.to_string(),
    })
}
