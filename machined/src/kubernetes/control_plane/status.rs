//! Says which nodes are the control plane: as the cluster says, and until it has said something, as it was.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ::config::Hostname;
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::{ControlPlane, KUBERNETES, KubernetesSpec, NodeStatus};
use resources::runtime::Condition;

use super::kept::{KeepError, Kept, Planes, bounded, is_in};
use crate::block::volume::apply::EPHEMERAL;

/// Where it is kept, below STATE.
const FOLDER: &str = "kubernetes";

/// The controller.
#[derive(Debug)]
pub struct Status {
    folder: PathBuf,
    kept: Option<Kept>,
}

cosi::declare! {
    Status as "kubernetes.control-plane.status" {
        reads KubernetesSpec;
        reads NodeStatus;
        reads Condition;
        writes ControlPlane;
    }
}

impl Status {
    /// Keeps what it finds below `state`.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self {
            folder: state.join(FOLDER),
            kept: None,
        }
    }

    fn kept(&mut self) -> Result<&mut Kept, KeepError> {
        if self.kept.is_none() {
            self.kept = Some(Kept::open(&self.folder)?);
        }
        Ok(self.kept.as_mut().expect("it was opened just now"))
    }

    /// What was known before, and what is known now is known the next time.
    fn remember(&mut self, endpoint: &str, now: &Planes) -> Result<Planes, KeepError> {
        let kept = self.kept()?;
        if !now.is_empty() {
            kept.keep(endpoint, now)?;
        }
        Ok(kept.of(endpoint))
    }

    fn forget(&mut self) -> Result<(), KeepError> {
        self.kept()?.forget()?;
        self.kept = None;
        Ok(())
    }
}

/// The control plane, as these nodes of the cluster have it.
fn planes<'a>(nodes: impl IntoIterator<Item = (&'a str, &'a NodeStatus)>) -> Planes {
    let of_plane = nodes.into_iter().filter(|(_, it)| it.control_plane);
    bounded(of_plane.filter_map(|(name, it)| plane(name, it)).collect())
}

/// A node, if it has a name as nodes have.
fn plane(name: &str, status: &NodeStatus) -> Option<(Hostname, BTreeSet<IpAddr>)> {
    let addresses = status.addresses.iter().filter_map(|it| it.parse().ok());
    Some((name.parse().ok()?, addresses.collect()))
}

impl Controller for Status {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let mounted = cx.get::<Condition>(EPHEMERAL).is_some_and(|it| it.spec.met);
        cx.replace::<ControlPlane>();
        let Some(cluster) = cx.get::<KubernetesSpec>(KUBERNETES) else {
            // A node without a disk has nothing to forget.
            if mounted && cx.deletions_allowed() && is_in(&self.folder) {
                self.forget()?;
            }
            return Ok(Outcome::Done);
        };
        let nodes = cx.list::<NodeStatus>();
        let now = planes(nodes.iter().map(|it| (it.id(), &*it.spec)));
        let kept = match mounted {
            true => self.remember(&cluster.spec.endpoint, &now),
            false => Ok(Planes::new()),
        };
        let remembered = now.is_empty();
        let shown = match &kept {
            Ok(before) if remembered => before,
            _ => &now,
        };
        for (name, addresses) in shown {
            let plane = ControlPlane {
                addresses: addresses.iter().map(IpAddr::to_string).collect(),
                remembered,
            };
            cx.put(name.as_str(), plane);
        }
        match kept {
            Ok(_) => Ok(Outcome::Done),
            // The disk may be another one by the next time.
            Err(error) => {
                self.kept = None;
                Ok(Outcome::Partial(error.into()))
            }
        }
    }
}
