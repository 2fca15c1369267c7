//! Has etcd run on the nodes of a control plane, and says what it waits for.

use std::io;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use resources::config::MachineConfig;
use resources::kubernetes::{ETCD, EtcdSpec, KUBERNETES, KubernetesSpec};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::{Condition, ServiceSpec, ServiceState, ServiceStatus};

use super::bootstrap::{Bootstrap, changes};
use super::data::{self, Data};
use super::restore;
use super::service::{self, CONDITION, Facts};
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::component::Component;
use crate::kubernetes::{address, inputs};

/// The controller.
#[derive(Debug)]
pub struct Apply {
    bootstrap: Bootstrap,
    /// The snapshot that is made data in this life, and which time it is tried.
    attempt: Option<(u64, u32)>,
}

cosi::declare! {
    Apply as "kubernetes.etcd.apply" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads EtcdSpec;
        reads NodeAddress;
        reads HostnameSpec;
        reads Condition;
        reads ServiceStatus;
        shares Condition;
        shares ServiceSpec;
    }
}

impl Apply {
    /// Looks after the data of which `bootstrap` takes orders, and looks at it again at each.
    #[must_use]
    pub fn new(bootstrap: Bootstrap) -> Self {
        Self {
            bootstrap,
            attempt: None,
        }
    }
}

/// Whether etcd may be started.
fn condition(data: &Data) -> Condition {
    let (met, message) = match data {
        Data::Member(_) => (true, "this node has etcd's data"),
        Data::Begins => (true, "a cluster begins here"),
        Data::Joins(_) => (true, "this node joins the other members"),
        Data::Recovers(_) => (false, "a snapshot is made etcd's data"),
        Data::Left => (
            false,
            "this node has left etcd; `osctl etcd join` has it join again",
        ),
        Data::None => (
            false,
            "this node has no data of etcd; it joins when another control plane's etcd answers, or `osctl bootstrap`, once for a cluster and on one node of its control plane, has it begin",
        ),
    };
    Condition {
        met,
        message: message.to_owned(),
    }
}

/// Looks at the folder, and takes away what was carried out.
fn settle(own: &Bootstrap) -> io::Result<Data> {
    let data = own.prepared()?;
    if let Data::Member(_) = data {
        data::tidy(own.folder())?;
    }
    Ok(data)
}

/// Has what was made of a snapshot be the data, unless something else was ordered meanwhile; gives the data as it is then.
fn adopt(own: &Bootstrap, mark: u64, attempt: u32) -> io::Result<Data> {
    match data::look(own.folder())? {
        Data::Recovers(now) if now == mark && data::adopt(own.folder(), attempt)? => settle(own),
        data => Ok(data),
    }
}

impl Apply {
    /// Has a snapshot made the data; gives the data as it is then, and what keeps it from being so.
    async fn restore(
        &mut self,
        cx: &mut Cx<'_, Self>,
        facts: &Facts<'_>,
        mark: u64,
    ) -> Result<(Data, Condition), Error> {
        // What a life before began may still run, so that its folder is left to it.
        let attempt = match self.attempt {
            Some((of, attempt)) if of == mark => attempt,
            _ => {
                let before = data::attempts(self.bootstrap.folder())?;
                before.into_iter().max().unwrap_or(0) + 1
            }
        };
        self.attempt = Some((mark, attempt));
        let data = Data::Recovers(mark);
        let mut waits = condition(&data);
        let id = restore::id(attempt);
        match cx.get::<ServiceStatus>(&id).map(|it| it.spec) {
            Some(status) if status.state == ServiceState::Finished => {
                let adopted = self.bootstrap.work(move |own| adopt(own, mark, attempt));
                let adopted = adopted.await?;
                if adopted != data {
                    let condition = condition(&adopted);
                    return Ok((adopted, condition));
                }
                waits.message = "etcdutl made no data of the snapshot".to_owned();
            }
            Some(status) if status.state == ServiceState::Failed => {
                waits.message = format!(
                    "the snapshot cannot be made etcd's data: {} (`osctl logs {id}` tells why; `osctl bootstrap --recover-from` takes another one)",
                    status.reason
                );
            }
            _ => {}
        }
        cx.put(id, restore::spec(facts, mark, attempt));
        Ok((data, waits))
    }
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        vec![changes(self.bootstrap.ordered())]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let Some(cluster) = cluster.filter(|it| it.spec.control_plane) else {
            cx.replace::<ServiceSpec>();
            cx.remove::<Condition>(CONDITION);
            return Ok(Outcome::Done);
        };
        let mounted = cx.get::<Condition>(EPHEMERAL);
        let (Some(addresses), Some(hostname), true) = (
            cx.get::<NodeAddress>(CURRENT),
            cx.get::<HostnameSpec>(HOSTNAME),
            mounted.is_some_and(|it| it.spec.met),
        ) else {
            return Ok(Outcome::WaitingOn(
                "the node's disk, its name and its addresses".to_owned(),
            ));
        };
        // Written together with what the cluster is.
        let Some(wanted) = cx.get::<EtcdSpec>(ETCD) else {
            return Ok(Outcome::WaitingOn("how etcd is to run".to_owned()));
        };
        let Some(&address) = address::of(&cluster.spec, &addresses.spec).first() else {
            return Ok(Outcome::WaitingOn("an address of the node".to_owned()));
        };
        let documents = crate::config::documents(cx.parts().0)?;
        let trust = documents.kubernetes_trust();
        let plane = trust.and_then(|it| it.control_plane.as_ref());
        let authority = plane.map(|it| it.etcd.certificate.as_pem());
        let mut data = self.bootstrap.work(settle).await?;
        let mut condition = condition(&data);
        let inputs = inputs::of(authority);
        let mut facts = Facts {
            node: &hostname.spec.hostname,
            address,
            images: cluster.spec.images,
            wanted: &wanted.spec,
            inputs: &inputs,
            joined: None,
        };
        cx.replace::<ServiceSpec>();
        if let Data::Recovers(mark) = data {
            (data, condition) = self.restore(cx, &facts, mark).await?;
        }
        match &data {
            Data::Member(joined) => facts.joined = joined.as_deref(),
            Data::Joins(members) => facts.joined = Some(members),
            Data::Recovers(_) | Data::Begins | Data::Left | Data::None => {}
        }
        // One that has left is ended; one that has nothing yet waits for its condition.
        if data != Data::Left {
            cx.put(Component::Etcd.name(), service::spec(&facts));
        }
        cx.put(CONDITION, condition);
        Ok(Outcome::Done)
    }
}
