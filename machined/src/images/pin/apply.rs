//! Has the images that the node runs pinned.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use containerd::{Client, Reference};
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::StaticPod;
use resources::runtime::{ServiceSpec, ServiceState, ServiceStatus};

use super::plan::{Op, plan};

/// The service that keeps images.
const CONTAINERD: &str = "containerd";

/// How soon it looks again: while an image is missing, which somebody is about to pull, and when all are there, of which one may have
/// been removed and pulled again.
const SOON: Duration = Duration::from_secs(20);
const LATER: Duration = Duration::from_secs(300);

/// The controller.
#[derive(Debug)]
pub struct Apply {
    socket: PathBuf,
    client: Option<Client>,
}

cosi::declare! {
    Apply as "images.pin.apply" {
        reads ServiceSpec;
        reads ServiceStatus;
        reads StaticPod;
    }
}

impl Apply {
    /// Asks the containerd that listens on this socket.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            client: None,
        }
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let containerd = cx.get::<ServiceStatus>(CONTAINERD);
        if !containerd.is_some_and(|it| it.spec.state == ServiceState::Running) {
            return Ok(Outcome::Done);
        }
        let services = cx.list::<ServiceSpec>().into_iter();
        let pods = cx.list::<StaticPod>().into_iter();
        let wanted = services
            .map(|it| it.spec.image.clone())
            .chain(pods.map(|it| it.spec.image.clone()))
            .filter(|it| !it.is_empty())
            .collect();
        let client = self
            .client
            .get_or_insert_with(|| Client::new(&self.socket))
            .clone();
        let found = client.references().await?.into_iter();
        let there: BTreeMap<String, Reference> = found.map(|it| (it.name.clone(), it)).collect();
        let labels = there
            .iter()
            .map(|(name, it)| (name.clone(), it.labels.clone()))
            .collect();
        for op in plan(&wanted, &labels) {
            let Some(reference) = there.get(op.reference()) else {
                continue;
            };
            client.label(reference, &op.labels()).await?;
            let image = op.reference();
            match op {
                Op::Pin(_) => tracing::info!(image, "image of the node itself is kept"),
                Op::Release(_) => tracing::info!(image, "image is not needed any more"),
            }
        }
        let all = wanted.iter().all(|it| there.contains_key(it));
        Ok(Outcome::Requeue(if all { LATER } else { SOON }))
    }
}

#[cfg(test)]
mod tests;
