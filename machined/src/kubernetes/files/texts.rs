//! What is in the files but for certificates that this node issues. Pure.

use std::collections::BTreeMap;

use ::config::{ControlPlaneTrust, KeyPair, KubernetesTrustConfig};
use pki::kubernetes::{Kubeconfig, KubeconfigError, Part, ServiceAccountKey, SharedKeyError};
use resources::kubernetes::{KubeletSpec, KubernetesSpec};
use thiserror::Error;

use crate::kubernetes::component::Component;
use crate::kubernetes::kubelet;
use crate::kubernetes::settings;
use crate::kubernetes::static_pod::API_PORT;

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
    pub(super) plane: &'a ControlPlaneTrust,
}

/// The files of a node of a control plane.
///
/// # Errors
/// The key of service accounts is none, or a kubeconfig cannot be written.
pub(super) fn files(facts: &Facts<'_>) -> Result<Files, TextError> {
    let Facts { trust, plane, .. } = *facts;
    let ca = ("ca.crt", trust.ca.as_pem().to_owned());
    let accounts = (
        "service-account.key",
        plane.service_account_key.as_pem().to_owned(),
    );
    let accounts_key = ServiceAccountKey::from_pem(plane.service_account_key.as_pem())?;
    let own =
        |component, user: &str| kubeconfig(component, user, facts).map(|text| ("kubeconfig", text));
    let encryption = settings::encryption(plane.encryption_key.as_base64());
    let kubelet = kubelet::settings::config(facts.cluster, facts.node);
    Ok(BTreeMap::from([
        (
            Component::Etcd,
            named([("ca.crt", plane.etcd.certificate.as_pem().to_owned())]),
        ),
        (
            Component::ApiServer,
            named([
                ca.clone(),
                accounts.clone(),
                ("service-account.pub", accounts_key.public_pem()),
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
                ("audit-policy.json", settings::audit_policy().to_string()),
            ]),
        ),
        (
            Component::ControllerManager,
            named([
                ca.clone(),
                accounts,
                ("issuer.pem", pair(&plane.issuer)),
                own(
                    Component::ControllerManager,
                    "system:kube-controller-manager",
                )?,
            ]),
        ),
        (
            Component::Scheduler,
            named([
                ca.clone(),
                own(Component::Scheduler, "system:kube-scheduler")?,
            ]),
        ),
        (
            Component::Kubelet,
            named([
                ca,
                ("config.json", kubelet.to_string()),
                own(Component::Kubelet, &format!("system:node:{}", facts.name))?,
            ]),
        ),
    ]))
}

fn named<const N: usize>(files: [(&str, String); N]) -> BTreeMap<String, String> {
    files.map(|(name, text)| (name.to_owned(), text)).into()
}

/// A certificate and its key, as one file.
fn pair(pair: &KeyPair) -> String {
    format!("{}{}", pair.certificate.as_pem(), pair.key.as_pem())
}

/// What leads a part of this node to the API server beside it. The certificate is in a file that is read again when it changes.
fn kubeconfig(
    component: Component,
    user: &str,
    facts: &Facts<'_>,
) -> Result<String, KubeconfigError> {
    let (own, ca) = (component.file("client.pem"), component.file("ca.crt"));
    let server = format!("https://127.0.0.1:{API_PORT}");
    let text = Kubeconfig {
        cluster: "default",
        server: &server,
        authority: Part::File(&ca),
        user,
        certificate: Part::File(&own),
        key: Part::File(&own),
    };
    debug_assert!(
        facts.cluster.control_plane,
        "workers have no API server beside them"
    );
    Ok(text.to_yaml()?.expose().clone())
}
