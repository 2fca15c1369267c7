//! Says where connections to the API may go, and shows how each of these is.

use std::net::IpAddr;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::kubernetes::{ApiServerEndpoint, ControlPlane, KUBERNETES, KubernetesSpec};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use tokio::sync::watch;

use super::backends::{Backend, Own, backends};
use super::health::{Health, State};

/// Why one is not well that nobody knows anything of.
pub const UNASKED: &str = "nobody has asked it yet";

/// The controller.
#[derive(Debug)]
pub struct Apply {
    backends: watch::Sender<Vec<Backend>>,
    health: watch::Receiver<Health>,
}

cosi::declare! {
    Apply as "kubernetes.balancer.apply" {
        reads KubernetesSpec;
        reads ControlPlane;
        reads NodeAddress;
        reads HostnameSpec;
        writes ApiServerEndpoint;
    }
}

impl Apply {
    pub(super) fn new(
        backends: watch::Sender<Vec<Backend>>,
        health: watch::Receiver<Health>,
    ) -> Self {
        Self { backends, health }
    }

    fn tell(&self, found: &[Backend]) {
        self.backends.send_if_modified(|told| {
            let other = told.as_slice() != found;
            if other {
                *told = found.to_vec();
            }
            other
        });
    }
}

/// What is shown of the `place`th.
fn status(backend: &Backend, place: u32, health: &Health) -> ApiServerEndpoint {
    let (well, reason) = match health.of(&backend.target) {
        Some(State::Well) => (true, String::new()),
        Some(State::Unwell { reason, .. }) => (false, reason.clone()),
        None => (false, UNASKED.to_owned()),
    };
    ApiServerEndpoint {
        node: backend.node.clone(),
        well,
        place,
        reason,
        version: health
            .release(&backend.target)
            .map(|it| it.to_string())
            .unwrap_or_default(),
    }
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        let news = stream::unfold(self.health.clone(), |mut health| async move {
            health.changed().await.ok()?;
            Some(((), health))
        });
        vec![Box::pin(news)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        cx.replace::<ApiServerEndpoint>();
        let Some(cluster) = cx.get::<KubernetesSpec>(KUBERNETES) else {
            self.tell(&[]);
            return Ok(Outcome::Done);
        };
        let name = cx.get::<HostnameSpec>(HOSTNAME);
        let name = name.as_ref().map_or("", |it| it.spec.hostname.as_str());
        let addresses = cx.get::<NodeAddress>(CURRENT);
        let addresses: Vec<IpAddr> = addresses
            .iter()
            .flat_map(|it| it.spec.addresses.iter().map(|it| it.address()))
            .collect();
        let planes = cx.list::<ControlPlane>();
        let planes: Vec<_> = planes.iter().map(|it| (it.id(), &*it.spec)).collect();
        let own = Own {
            name,
            addresses: &addresses,
        };
        let found = backends(&cluster.spec, own, &planes);
        self.tell(&found);
        let health = self.health.borrow().clone();
        for (place, backend) in (0..).zip(health.order(&found)) {
            cx.put(backend.target.to_string(), status(backend, place, &health));
        }
        Ok(Outcome::Done)
    }
}
