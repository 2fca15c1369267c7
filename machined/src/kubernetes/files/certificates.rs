//! The certificates of this node's parts: where each lies, and which are issued anew.

use std::net::IpAddr;

use jiff::Timestamp;
use pki::kubernetes::{Authorities, CertificateSpec, Purpose};
use pki::renewal::Plan;
use pki::{Certificate, Identity, IssueError};
use resources::kubernetes::CertificateStatus;

use crate::kubernetes::component::Component;

/// Who reads a certificate, and the name of its file there; `None` for those that no part of the node holds. A file has the
/// certificate and its key, so that both are replaced at once.
pub(super) fn place(purpose: Purpose) -> Option<(Component, &'static str)> {
    Some(match purpose {
        Purpose::ApiServer => (Component::ApiServer, "serving.pem"),
        Purpose::ApiServerKubeletClient => (Component::ApiServer, "kubelet-client.pem"),
        Purpose::ApiServerEtcdClient => (Component::ApiServer, "etcd-client.pem"),
        Purpose::FrontProxyClient => (Component::ApiServer, "front-proxy-client.pem"),
        Purpose::ControllerManager => (Component::ControllerManager, "client.pem"),
        Purpose::Scheduler => (Component::Scheduler, "client.pem"),
        Purpose::Kubelet => (Component::Kubelet, "client.pem"),
        Purpose::KubeletServing => (Component::Kubelet, "serving.pem"),
        Purpose::EtcdServer => (Component::Etcd, "server.pem"),
        Purpose::EtcdPeer => (Component::Etcd, "peer.pem"),
        Purpose::Admin => return None,
    })
}

/// A certificate and its key as a file has them, and when it is due for another one.
pub(super) struct Held {
    pub(super) text: String,
    pub(super) certificate: Certificate,
    pub(super) until: Timestamp,
}

/// The certificate of a file if it still does, another one otherwise.
///
/// # Errors
/// It cannot be issued.
pub(super) fn held(
    spec: &CertificateSpec,
    file: Option<&str>,
    authorities: &Authorities,
    now: Timestamp,
) -> Result<Held, IssueError> {
    // Whatever is wrong with what is there, another one mends it.
    let current = file.and_then(|text| Some((text, Identity::from_pem(text, text).ok()?)));
    if let Some((text, identity)) = current {
        let certificate = identity.certificate();
        if let Plan::Keep { until } = authorities.plan(spec, Some(certificate), now) {
            return Ok(Held {
                text: text.to_owned(),
                certificate: certificate.clone(),
                until,
            });
        }
    }
    let identity = authorities.issue(spec, now)?;
    let certificate = identity.certificate().clone();
    Ok(Held {
        text: both(&identity),
        until: certificate.half_life(),
        certificate,
    })
}

/// A certificate as people see it, and its file if it has one.
pub(crate) fn status(certificate: &Certificate, file: String) -> CertificateStatus {
    let names = certificate.names.names.iter().cloned();
    let addresses = certificate.names.addresses.iter().map(IpAddr::to_string);
    CertificateStatus {
        holder: certificate.subject.clone(),
        groups: certificate.organizations.clone(),
        names: names.chain(addresses).collect(),
        expires: certificate.not_after.to_string(),
        file,
    }
}

/// A certificate and its key, as one file has them.
pub(crate) fn both(identity: &Identity) -> String {
    let (certificate, key) = (identity.certificate_pem(), identity.key_pem());
    format!("{certificate}{}", key.expose())
}
