//! Has etcd run on the nodes of a control plane, and says what it waits for.

use std::path::PathBuf;
use std::sync::Arc;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::{Condition, ServiceSpec};
use tokio::sync::Notify;

use super::bootstrap::changes;
use super::data::{self, Data};
use super::service::{self, CONDITION, Facts};
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::component::Component;
use crate::kubernetes::{address, folder, inputs};

/// The controller.
#[derive(Debug)]
pub struct Apply {
    folder: PathBuf,
    ordered: Arc<Notify>,
}

cosi::declare! {
    Apply as "kubernetes.etcd.apply" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads NodeAddress;
        reads HostnameSpec;
        reads Condition;
        shares Condition;
        shares ServiceSpec;
    }
}

impl Apply {
    /// Keeps the data in this folder, and looks at it again whenever a beginning was ordered.
    #[must_use]
    pub fn new(folder: PathBuf, ordered: Arc<Notify>) -> Self {
        Self { folder, ordered }
    }
}

/// Whether etcd may be started.
fn condition(data: Data) -> Condition {
    let (met, message) = match data {
        Data::Member => (true, "this node has etcd's data"),
        Data::Begins => (true, "a cluster begins here"),
        Data::None => (
            false,
            "this node has no data of etcd; `osctl bootstrap`, once for a cluster and on one node of its control plane, has it begin",
        ),
    };
    Condition {
        met,
        message: message.to_owned(),
    }
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        vec![changes(Arc::clone(&self.ordered))]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let Some(cluster) = cluster.filter(|it| it.spec.control_plane) else {
            cx.replace::<ServiceSpec>();
            cx.remove::<Condition>(CONDITION);
            return Ok(Outcome::Done);
        };
        let (Some(addresses), Some(hostname)) = (
            cx.get::<NodeAddress>(CURRENT),
            cx.get::<HostnameSpec>(HOSTNAME),
        ) else {
            return Ok(Outcome::WaitingOn(
                "the node's name and addresses".to_owned(),
            ));
        };
        let Some(&address) = address::of(&cluster.spec, &addresses.spec).first() else {
            return Ok(Outcome::WaitingOn("an address of the node".to_owned()));
        };
        let documents = crate::config::documents(cx.parts().0)?;
        let trust = documents.kubernetes_trust();
        let plane = trust.and_then(|it| it.control_plane.as_ref());
        let authority = plane.map(|it| it.etcd.certificate.as_pem());
        let facts = Facts {
            node: &hostname.spec.hostname,
            address,
            images: cluster.spec.images,
            inputs: &inputs::of(authority),
        };
        cx.put(Component::Etcd.name(), service::spec(&facts));
        let mounted = cx.get::<Condition>(EPHEMERAL);
        if mounted.is_some_and(|it| it.spec.met) {
            folder::make(&self.folder, Component::Etcd.uid())?;
            cx.put(CONDITION, condition(data::look(&self.folder)?));
        }
        Ok(Outcome::Done)
    }
}
