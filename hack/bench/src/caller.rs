//! A person with every right, on one connection that stays open.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use e2e::{Lab, Node};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, Role, Roles, Trust, tls};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

/// Longer than any measurement.
const LIFE: SignedDuration = SignedDuration::from_hours(2);

/// Connects to a node that was given its config, with a certificate made from its lab's secrets.
///
/// # Errors
/// When the secrets are not there, or the node does not take the certificate.
pub(crate) async fn connect(lab: &Lab, node: &Node<'_>) -> Result<Channel> {
    let (authority, nodes) = secrets(lab)?;
    let roles = Roles::from_organizations([Role::Admin.organization()]);
    let own = authority.issue_client("bench", roles, LIFE, Timestamp::now())?;
    let connector = TlsConnector::from(tls::client(&nodes, &own)?);
    let (name, api): (_, SocketAddr) = (tls::server_name(node.name.as_str())?, node.api()?);
    let dial = tower::service_fn(move |_: Uri| {
        let (connector, name) = (connector.clone(), name.clone());
        async move {
            let stream = TcpStream::connect(api).await?;
            // As the node does: what is measured is answers, not how long small ones are kept back.
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    let endpoint = Endpoint::from_static("https://node");
    endpoint
        .connect_with_connector(dial)
        .await
        .context("connecting to a node")
}

/// What `osctl gen secrets` made: who issues certificates, and whose certificates nodes have.
fn secrets(lab: &Lab) -> Result<(Authority, Trust)> {
    let file = lab.home().join("secrets.yaml");
    let text = fs::read_to_string(&file).context("reading the secrets")?;
    let parts: BTreeMap<String, BTreeMap<String, String>> =
        serde_yaml::from_str(&text).context("the secrets")?;
    let part = |name| {
        let part = parts.get("api").and_then(|api| api.get(name));
        part.with_context(|| format!("no {name} in the secrets"))
    };
    let (certificate, key) = (part("certificate")?, part("key")?);
    Ok((
        Authority::from_pem(certificate, key)?,
        Trust::from_pem(certificate)?,
    ))
}
