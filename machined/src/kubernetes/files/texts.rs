//! What is in the files but for certificates that this node issues. Pure.

use std::collections::BTreeMap;

use ::config::{ApiServerConfig, ControlPlaneTrust, KeyPair, KubernetesTrustConfig};
use pki::kubernetes::{Kubeconfig, KubeconfigError, Part, ServiceAccountKey, SharedKeyError};
use resources::kubernetes::{KubeletSpec, KubernetesSpec};
use thiserror::Error;

use crate::kubernetes::balancer;
use crate::kubernetes::component::Component;
use crate::kubernetes::kubelet;
use crate::kubernetes::settings;

/// Files by the part that reads them, and their names.
pub(super) type Files = BTreeMap<Component, BTreeMap<String, String>>;

/// Why a file cannot be written.
#[derive(Debug, Error)]
pub(super) enum TextError {
    #[error("the key of service accounts")]
    Accounts(#[from] SharedKeyError),
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
}

/// What the files follow from.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) cluster: &'a KubernetesSpec,
    pub(super) node: &'a KubeletSpec,
    pub(super) name: &'a str,
    pub(super) trust: &'a KubernetesTrustConfig,
}

/// The files of a node of a control plane.
///
/// # Errors
/// The key of service accounts is none, or a kubeconfig cannot be written.
pub(super) fn files(
    facts: &Facts<'_>,
    plane: &ControlPlaneTrust,
    server: &ApiServerConfig,
) -> Result<Files, TextError> {
    let etcd = plane.etcd.certificate.as_pem();
    Ok(BTreeMap::from([
        (Component::Etcd, named([("ca.crt", etcd.to_owned())])),
        (Component::ApiServer, api_server(facts, plane, server)?),
        (
            Component::ControllerManager,
            controller_manager(facts, plane)?,
        ),
        (Component::Scheduler, scheduler(facts)?),
        (Component::Kubelet, kubelet(facts)?),
    ]))
}

fn api_server(
    facts: &Facts<'_>,
    plane: &ControlPlaneTrust,
    server: &ApiServerConfig,
) -> Result<BTreeMap<String, String>, TextError> {
    let trust = facts.trust;
    let accounts = plane.service_account_key.as_pem();
    let public = ServiceAccountKey::from_pem(accounts)?.public_pem();
    let encryption = settings::encryption(plane.encryption_key.as_base64());
    Ok(named([
        ("ca.crt", trust.ca.as_pem().to_owned()),
        ("service-account.key", accounts.to_owned()),
        ("service-account.pub", public),
        ("etcd-ca.crt", plane.etcd.certificate.as_pem().to_owned()),
        (
            "front-proxy-ca.crt",
            plane.aggregator.certificate.as_pem().to_owned(),
        ),
        ("encryption.json", encryption.to_string()),
        (
            "authentication.json",
            settings::authentication().to_string(),
        ),
        (
            "audit-policy.json",
            settings::audit_policy(server).to_string(),
        ),
        ("admission.json", settings::admission(server).to_string()),
    ]))
}

fn controller_manager(
    facts: &Facts<'_>,
    plane: &ControlPlaneTrust,
) -> Result<BTreeMap<String, String>, TextError> {
    let trust = facts.trust;
    let own = kubeconfig(
        Component::ControllerManager,
        "system:kube-controller-manager",
    )?;
    Ok(named([
        ("ca.crt", trust.ca.as_pem().to_owned()),
        (
            "service-account.key",
            plane.service_account_key.as_pem().to_owned(),
        ),
        ("issuer.pem", pair(&plane.issuer)),
        ("kubeconfig", own),
    ]))
}

fn scheduler(facts: &Facts<'_>) -> Result<BTreeMap<String, String>, TextError> {
    let own = kubeconfig(Component::Scheduler, "system:kube-scheduler")?;
    Ok(named([
        ("ca.crt", facts.trust.ca.as_pem().to_owned()),
        ("kubeconfig", own),
    ]))
}

/// The files of a kubelet, on any node.
///
/// # Errors
/// Its kubeconfig cannot be written.
pub(super) fn kubelet(facts: &Facts<'_>) -> Result<BTreeMap<String, String>, TextError> {
    let user = format!("system:node:{}", facts.name);
    let config = kubelet::settings::config(facts.cluster, facts.node);
    Ok(named([
        ("ca.crt", facts.trust.ca.as_pem().to_owned()),
        ("config.json", config.to_string()),
        ("kubeconfig", kubeconfig(Component::Kubelet, &user)?),
    ]))
}

fn named<const N: usize>(files: [(&str, String); N]) -> BTreeMap<String, String> {
    files.map(|(name, text)| (name.to_owned(), text)).into()
}

/// A certificate and its key, as one file.
fn pair(pair: &KeyPair) -> String {
    format!("{}{}", pair.certificate.as_pem(), pair.key.as_pem())
}

/// What leads a part of this node to the API. The certificate is in a file that is read again when it changes.
fn kubeconfig(component: Component, user: &str) -> Result<String, KubeconfigError> {
    let (own, ca) = (component.file("client.pem"), component.file("ca.crt"));
    let server = balancer::url();
    let text = Kubeconfig {
        cluster: "default",
        server: &server,
        authority: Part::File(&ca),
        user,
        certificate: Part::File(&own),
        key: Part::File(&own),
    };
    Ok(text.to_yaml()?.expose().clone())
}
