//! Asks the cluster what it says of this node, and puts the config's labels and annotations on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use http::Method;
use pki::{Identity, Trust};
use resources::kubernetes::{KUBELET, KUBERNETES, KubeletSpec, KubernetesSpec, NodeStatus};
use resources::net::{HOSTNAME, HostnameSpec};
use thiserror::Error;
use tokio::fs;

use super::object;
use crate::kubernetes::client::{Client, ClientError};
use crate::kubernetes::static_pod::API_PORT;

/// How often a node that is not ready yet asks, and one that is.
const SOON: Duration = Duration::from_secs(3);
const LATER: Duration = Duration::from_secs(60);

/// The controller.
#[derive(Debug)]
pub struct Status {
    folder: PathBuf,
}

cosi::declare! {
    Status as "kubernetes.node.status" {
        reads KubernetesSpec;
        reads KubeletSpec;
        reads HostnameSpec;
        writes NodeStatus;
    }
}

/// Why the cluster could not be asked.
#[derive(Debug, Error)]
enum AskError {
    #[error("reading {0}")]
    File(PathBuf, #[source] std::io::Error),
    #[error("the certificate of the node")]
    Identity(#[source] pki::IdentityError),
    #[error("the authority of the cluster")]
    Trust(#[source] pki::TrustError),
    #[error("TLS")]
    Tls(#[source] pki::tls::TlsError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Status {
    /// Asks as the kubelet, whose files are in this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    async fn text(&self, name: &str) -> Result<String, AskError> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).await;
        text.map_err(|error| AskError::File(path, error))
    }

    /// The node as the cluster knows it; `None`: not at all.
    async fn ask(&self, name: &str, wanted: &KubeletSpec) -> Result<Option<NodeStatus>, AskError> {
        let (own, authority) = (self.text("client.pem").await?, self.text("ca.crt").await?);
        let own = Identity::from_pem(&own, &own).map_err(AskError::Identity)?;
        let authority = Trust::from_pem(&authority).map_err(AskError::Trust)?;
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT));
        let client = Client::new(server, &authority, &own).map_err(AskError::Tls)?;
        let path = format!("/api/v1/nodes/{name}");
        let object = match client.get(&path).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(patch) = object::patch(&object, wanted) {
            let merge = "application/merge-patch+json";
            client
                .send(Method::PATCH, &path, merge, Some(&patch))
                .await?;
        }
        Ok(Some(object::read(&object)))
    }
}

impl Controller for Status {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        cx.replace::<NodeStatus>();
        let (Some(_), Some(wanted), Some(name)) = (
            cx.get::<KubernetesSpec>(KUBERNETES),
            cx.get::<KubeletSpec>(KUBELET),
            cx.get::<HostnameSpec>(HOSTNAME),
        ) else {
            return Ok(Outcome::Done);
        };
        let name = name.spec.hostname.clone();
        let known = cx.mine::<NodeStatus>();
        let known = known
            .iter()
            .find(|it| it.id() == name)
            .map(|it| (*it.spec).clone());
        let status = match self.ask(&name, &wanted.spec).await {
            Ok(None) => return Ok(Outcome::Requeue(SOON)),
            Ok(Some(status)) => status,
            // What it said last holds until it says something else: its pods go on too.
            Err(error) => {
                let Some(known) = known else {
                    return Ok(Outcome::Requeue(SOON));
                };
                NodeStatus {
                    ready: false,
                    reason: cosi::report(&error),
                    ..known
                }
            }
        };
        let again = if status.ready { LATER } else { SOON };
        cx.put(name, status);
        Ok(Outcome::Requeue(again))
    }
}
