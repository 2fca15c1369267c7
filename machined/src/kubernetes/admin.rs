//! What lets a person, or this node of the control plane, be an administrator of the cluster for a while.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::config::{ControlPlaneTrust, KubernetesTrustConfig};
use jiff::{SignedDuration, Timestamp};
use pki::kubernetes::{ADMIN_LIFETIME, Kubeconfig, KubeconfigError, Part, admin};
use pki::tls::TlsError;
use pki::{Authority, Identity, IssueError, Trust};
use resources::runtime::{CLUSTER, ClusterInfo};
use store::{Spec as _, Store};
use thiserror::Error;

use super::client::{Client, SERVER};
use super::made::Made;
use crate::config::{ActiveError, active};

/// How long it holds at most.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long it holds for what the node itself does.
const OWN: SignedDuration = SignedDuration::from_mins(30);

/// Who the holder is to Kubernetes, before the name by which the node knows the caller.
const USER: &str = "garboard";

/// Why there is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The node cannot issue it.
    #[error("this node has no authority of a Kubernetes cluster; ask one of its control plane")]
    NoAuthority,
    /// For longer than anybody gets.
    #[error("a kubeconfig holds for {} hours at most", LONGEST.as_hours())]
    TooLong,
    /// The config of the node cannot be read.
    #[error("reading the node's config")]
    Config(#[source] ActiveError),
    /// The authority refuses.
    #[error("issuing the certificate")]
    Issue(#[source] IssueError),
    /// The authority of the config is none.
    #[error("the authority of the cluster")]
    Trust(#[source] pki::TrustError),
    /// The certificate cannot be used.
    #[error("TLS")]
    Tls(#[source] TlsError),
    /// It cannot be written down.
    #[error(transparent)]
    Write(#[from] KubeconfigError),
}

/// A kubeconfig, and when it ends.
#[derive(Debug)]
pub struct Given {
    /// The file. It has a key in it.
    pub kubeconfig: pki::Secret<String>,
    /// The end of its certificate.
    pub expires: Timestamp,
}

/// Makes somebody an administrator whom the cluster knows by this name.
///
/// # Errors
/// The authority of the config refuses.
pub fn identity(
    plane: &ControlPlaneTrust,
    name: &str,
    lifetime: SignedDuration,
    now: Timestamp,
) -> Result<Identity, AdminError> {
    let issuer = &plane.issuer;
    let issuer = Authority::from_pem(issuer.certificate.as_pem(), issuer.key.as_pem());
    let spec = admin(&format!("{USER}:{name}"), lifetime);
    issuer
        .and_then(|it| it.issue(&spec, now))
        .map_err(AdminError::Issue)
}

/// What asks the API servers as an administrator whom the cluster knows by the node's name. Whoever does so on this node shares it.
#[derive(Clone, Default)]
pub struct Admins(Arc<Mutex<Made<Of, Client>>>);

/// What a client is made of: what the config has of the cluster, and the node's name.
type Of = (KubernetesTrustConfig, String);

impl Admins {
    /// One with the secrets of a config.
    ///
    /// # Errors
    /// The node is none of a control plane, or what its config has of it cannot be used.
    pub fn client(
        &self,
        trust: Option<&KubernetesTrustConfig>,
        node: &str,
        now: Timestamp,
    ) -> Result<Client, AdminError> {
        let of = (
            trust.ok_or(AdminError::NoAuthority)?.clone(),
            node.to_owned(),
        );
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(of, OWN, now, |(trust, node)| {
            let plane = trust.control_plane.as_ref();
            let plane = plane.ok_or(AdminError::NoAuthority)?;
            let own = identity(plane, node, OWN, now)?;
            let authority = Trust::from_pem(trust.ca.as_pem()).map_err(AdminError::Trust)?;
            Client::new(SERVER, &authority, &own).map_err(AdminError::Tls)
        })
    }
}

impl fmt::Debug for Admins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admins").finish_non_exhaustive()
    }
}

/// Makes a kubeconfig for whom the node's API knows as `caller`; without a lifetime, the usual one.
///
/// # Errors
/// Why there is none.
pub fn kubeconfig(
    store: &Store,
    caller: &str,
    lifetime: Option<Duration>,
    now: Timestamp,
) -> Result<Given, AdminError> {
    let lifetime = match lifetime {
        None => ADMIN_LIFETIME,
        Some(asked) => SignedDuration::try_from(asked).map_err(|_| AdminError::TooLong)?,
    };
    if lifetime > LONGEST {
        return Err(AdminError::TooLong);
    }
    let snapshot = store.snapshot();
    let active = active(&snapshot).map_err(AdminError::Config)?;
    let documents = active.ok_or(AdminError::NoAuthority)?.documents;
    let (Some(kubernetes), Some(trust)) = (documents.kubernetes(), documents.kubernetes_trust())
    else {
        return Err(AdminError::NoAuthority);
    };
    let plane = trust
        .control_plane
        .as_ref()
        .ok_or(AdminError::NoAuthority)?;
    let identity = identity(plane, caller, lifetime, now)?;
    let info = snapshot.get_as::<ClusterInfo>(ClusterInfo::DEFINITION.namespace, CLUSTER);
    let name = info.map_or_else(|| "kubernetes".to_owned(), |it| it.spec.cluster.clone());
    let file = Kubeconfig {
        cluster: &name,
        server: &kubernetes.endpoint.to_string(),
        authority: Part::Text(trust.ca.as_pem()),
        user: &format!("admin-{name}"),
        certificate: Part::Text(identity.certificate_pem()),
        key: Part::Text(identity.key_pem().expose()),
    };
    Ok(Given {
        kubeconfig: file.to_yaml()?,
        expires: identity.certificate().not_after,
    })
}
