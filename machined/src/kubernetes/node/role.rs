//! Labels the nodes of the control plane as such: their kubelets may not say it of themselves.

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use http::Method;
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec, NodeStatus};
use resources::net::{HOSTNAME, HostnameSpec};
use serde_json::{Value, json};

use super::object::CONTROL_PLANE;
use crate::kubernetes::admin;

/// What keeps balancers outside of the cluster from sending a control plane what is for pods.
const NO_BALANCER: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The controller.
#[derive(Debug, Default)]
pub struct Role;

cosi::declare! {
    Role as "kubernetes.node.role" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads HostnameSpec;
        reads NodeStatus;
    }
}

/// The labels, as a merge patch.
fn labels() -> Value {
    json!({"metadata": {"labels": {CONTROL_PLANE: "", NO_BALANCER: ""}}})
}

impl Controller for Role {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let Some(name) = cx.get::<HostnameSpec>(HOSTNAME) else {
            return Ok(Outcome::Done);
        };
        let name = &name.spec.hostname;
        // Somebody who takes the second one away means it: it is put on with the first one alone.
        let unlabelled = cx.get::<NodeStatus>(name);
        let unlabelled = unlabelled.is_some_and(|it| !it.spec.control_plane);
        if !unlabelled || !cluster.is_some_and(|it| it.spec.control_plane) {
            return Ok(Outcome::Done);
        }
        let documents = crate::config::documents(cx.parts().0)?;
        let client = admin::client(&documents, name, cx.now())?;
        let path = format!("/api/v1/nodes/{name}");
        let merge = "application/merge-patch+json";
        client
            .send(Method::PATCH, &path, merge, Some(&labels()))
            .await?;
        Ok(Outcome::Done)
    }
}
