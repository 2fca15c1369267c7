//! Keeps the files of the node's parts of Kubernetes what they should be.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::config::{
    ApiServerConfig, ControlPlaneTrust, Documents, KeyPair, KubernetesConfig, KubernetesTrustConfig,
};
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use jiff::Timestamp;
use pki::kubernetes::{Authorities, AuthoritiesError, ControlPlane, PairPem, Purpose, wanted};
use resources::config::MachineConfig;
use resources::kubernetes::{CertificateStatus, KUBELET, KUBERNETES, KubeletSpec, KubernetesSpec};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::Condition;

use super::certificates::{Held, held, place};
use super::texts::{self, Files};
use super::{FILES, both, endpoint, status};
use crate::block::volume::apply::EPHEMERAL;
use crate::join::Joined;
use crate::kubernetes::component::Component;
use crate::kubernetes::static_pod::AUDIT;
use crate::kubernetes::{address, folder};

/// A clock may be set at any moment, so that a certificate is due sooner than it seemed: it is looked at this often.
const AGAIN: Duration = Duration::from_secs(600);

/// The controller.
#[derive(Debug)]
pub struct Apply {
    folder: PathBuf,
    joined: Joined,
    audit: PathBuf,
}

cosi::declare! {
    Apply as "kubernetes.files.apply" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads KubeletSpec;
        reads NodeAddress;
        reads HostnameSpec;
        reads Condition;
        shares Condition;
        shares CertificateStatus;
    }
}

/// What is there.
struct Done {
    statuses: Vec<(String, CertificateStatus)>,
    /// When the first certificate is due for another one.
    until: Option<Timestamp>,
}

impl Apply {
    /// Writes below this folder; what a worker is given is in `joined`.
    #[must_use]
    pub fn new(folder: &Path, joined: Joined) -> Self {
        Self {
            folder: folder.to_owned(),
            joined,
            audit: PathBuf::from(AUDIT),
        }
    }

    /// Takes away what no part of the node is to have any more, once that is certain: keys of a cluster it was of.
    fn clear(&self, cx: &mut Cx<'_, Self>) -> Result<Outcome, Error> {
        cx.replace::<CertificateStatus>();
        if cx.deletions_allowed() {
            for component in Component::ALL {
                folder::remove(&self.folder.join(component.name()))?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Puts everything in its place.
    fn fill(
        &self,
        facts: &texts::Facts<'_>,
        secrets: &ControlPlaneTrust,
        server: &ApiServerConfig,
        plane: &ControlPlane<'_>,
        now: Timestamp,
    ) -> Result<Done, Error> {
        let authorities = authorities(facts.trust, secrets)?;
        let mut files: Files = texts::files(facts, secrets, server)?;
        let mut done = Done {
            statuses: Vec::new(),
            until: None,
        };
        for spec in wanted(plane) {
            let Some((component, name)) = place(spec.purpose) else {
                continue;
            };
            let path = self.folder.join(component.name()).join(name);
            let there = fs::read_to_string(&path).ok();
            let Held {
                text,
                certificate,
                until,
            } = held(&spec, there.as_deref(), &authorities, now)?;
            files
                .entry(component)
                .or_default()
                .insert(name.to_owned(), text);
            let status = status(&certificate, component.file(name));
            done.statuses.push((spec.purpose.name().to_owned(), status));
            done.until = Some(done.until.map_or(until, |it| it.min(until)));
        }
        for (component, files) in &files {
            folder::fill(&self.folder.join(component.name()), component.uid(), files)?;
        }
        folder::make(&self.audit, Component::ApiServer.uid())?;
        Ok(done)
    }
}

impl Apply {
    /// Puts in its place what a worker has: the kubelet, with certificates that a control plane issued.
    fn worker(
        &self,
        cx: &mut Cx<'_, Self>,
        documents: &Documents,
        cluster: &KubernetesSpec,
        node: &KubeletSpec,
    ) -> Result<Outcome, Error> {
        let mounted = cx.get::<Condition>(EPHEMERAL).is_some_and(|it| it.spec.met);
        let hostname = cx.get::<HostnameSpec>(HOSTNAME);
        let (Some(trust), Some(hostname), true) = (documents.kubernetes_trust(), hostname, mounted)
        else {
            cx.put(FILES, unmet("waits for the node's disk and its name"));
            return Ok(Outcome::Done);
        };
        let name = &hostname.spec.hostname;
        let user = format!("system:node:{name}");
        let held = self.joined.get().kubelet;
        // Those of a name before do for nothing any more.
        let held = held.filter(|it| it.client.certificate().subject == user);
        let Some(held) = held else {
            cx.put(
                FILES,
                unmet("waits for certificates of a control plane; the condition `join` says more"),
            );
            return Ok(Outcome::Done);
        };
        let facts = texts::Facts {
            cluster,
            node,
            name,
            trust,
        };
        let mut files = texts::kubelet(&facts)?;
        cx.replace::<CertificateStatus>();
        for (purpose, identity) in [
            (Purpose::Kubelet, &held.client),
            (Purpose::KubeletServing, &held.serving),
        ] {
            let Some((component, file)) = place(purpose) else {
                continue;
            };
            files.insert(file.to_owned(), both(identity));
            let status = status(identity.certificate(), component.file(file));
            cx.put(purpose.name(), status);
        }
        let kubelet = Component::Kubelet;
        folder::fill(&self.folder.join(kubelet.name()), kubelet.uid(), &files)?;
        cx.put(FILES, met());
        // It may have been of a control plane.
        if cx.deletions_allowed() {
            for other in Component::ALL.into_iter().filter(|it| *it != kubelet) {
                folder::remove(&self.folder.join(other.name()))?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// The authorities of the config.
pub(super) fn authorities(
    trust: &KubernetesTrustConfig,
    plane: &ControlPlaneTrust,
) -> Result<Authorities, AuthoritiesError> {
    Authorities::from_pem(
        trust.ca.as_pem(),
        pem(&plane.issuer),
        pem(&plane.aggregator),
        pem(&plane.etcd),
    )
}

fn pem(pair: &KeyPair) -> PairPem<'_> {
    PairPem {
        certificate: pair.certificate.as_pem(),
        key: pair.key.as_pem(),
    }
}

/// What the config has to say for a node of a control plane.
fn secrets(
    documents: &Documents,
) -> Option<(
    &KubernetesConfig,
    &KubernetesTrustConfig,
    &ControlPlaneTrust,
)> {
    let trust = documents.kubernetes_trust()?;
    Some((
        documents.kubernetes()?,
        trust,
        trust.control_plane.as_ref()?,
    ))
}

fn met() -> Condition {
    Condition {
        met: true,
        message: "its certificates and settings are there".to_owned(),
    }
}

fn unmet(message: &str) -> Condition {
    Condition {
        met: false,
        message: message.to_owned(),
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let (Some(cluster), Some(node)) = (
            cx.get::<KubernetesSpec>(KUBERNETES),
            cx.get::<KubeletSpec>(KUBELET),
        ) else {
            cx.remove::<Condition>(FILES);
            return self.clear(cx);
        };
        let documents = crate::config::documents(cx.parts().0)?;
        let Some((config, trust, plane)) = secrets(&documents) else {
            return self.worker(cx, &documents, &cluster.spec, &node.spec);
        };
        let mounted = cx.get::<Condition>(EPHEMERAL).is_some_and(|it| it.spec.met);
        let (Some(known), Some(hostname), true) = (
            cx.get::<NodeAddress>(CURRENT),
            cx.get::<HostnameSpec>(HOSTNAME),
            mounted,
        ) else {
            cx.put(
                FILES,
                unmet("waits for the node's disk, its name and its addresses"),
            );
            return Ok(Outcome::Done);
        };
        let addresses: BTreeSet<IpAddr> = address::own(&cluster.spec, &known.spec).collect();
        let (endpoint, services) = (endpoint(config), config.api_addresses());
        let identity = ControlPlane {
            node: &hostname.spec.hostname,
            addresses: &addresses,
            endpoint: &endpoint,
            services: &services,
            dns_domain: &cluster.spec.dns_domain,
        };
        let facts = texts::Facts {
            cluster: &cluster.spec,
            node: &node.spec,
            name: &hostname.spec.hostname,
            trust,
        };
        let server = documents.api_server().cloned().unwrap_or_default();
        let now = cx.now();
        let Done { statuses, until } = match self.fill(&facts, plane, &server, &identity, now) {
            Ok(done) => done,
            Err(error) => {
                // What is there from before does, and what is wrong is told.
                cx.put(FILES, unmet(&cosi::report(error.inner())));
                return Ok(Outcome::Partial(error));
            }
        };
        cx.replace::<CertificateStatus>();
        for (id, status) in statuses {
            cx.put(id, status);
        }
        cx.put(FILES, met());
        let due = until.and_then(|it| Duration::try_from(it.duration_since(now)).ok());
        Ok(Outcome::Requeue(due.unwrap_or(AGAIN).min(AGAIN)))
    }
}
