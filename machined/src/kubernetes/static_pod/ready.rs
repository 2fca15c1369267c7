//! Says whether the API server of this node can be asked: others wait for it.

use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::Condition;

use crate::kubernetes::admin;

/// The condition that it can.
pub const API_SERVER: &str = "kube-apiserver";

/// How often it is asked until it is ready, and from then on.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(15);

/// The controller.
#[derive(Debug, Default)]
pub struct Ready;

cosi::declare! {
    Ready as "kubernetes.static-pod.ready" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads HostnameSpec;
        shares Condition;
    }
}

impl Controller for Ready {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let name = cx.get::<HostnameSpec>(HOSTNAME);
        let (true, Some(name)) = (cluster.is_some_and(|it| it.spec.control_plane), name) else {
            cx.remove::<Condition>(API_SERVER);
            return Ok(Outcome::Done);
        };
        let documents = crate::config::documents(cx.parts().0)?;
        let client = admin::client(&documents, &name.spec.hostname, cx.now())?;
        let (met, message) = match client.check("/readyz").await {
            Ok(()) => (true, "it answers".to_owned()),
            Err(error) => (false, cosi::report(&error)),
        };
        cx.put(API_SERVER, Condition { met, message });
        Ok(Outcome::Requeue(if met { LATER } else { SOON }))
    }
}
