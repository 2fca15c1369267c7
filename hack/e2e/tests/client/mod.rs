//! A client of the API for what osctl would never do.

#![allow(dead_code, reason = "every test file takes its own part of this")]

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::v1alpha1::VersionRequest;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use e2e::Lab;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use pki::pairing::PairingString;
use pki::{Authority, Role, Roles, Trust, tls};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

/// How long a conversation may take on a processor that helps: some do a lot, none waits for ever.
const CONVERSATION: Duration = Duration::from_secs(90);

/// Calls a node that waits for its config as if it ran; gives how it refused.
pub(crate) fn refused_by_waiting_node(lab: &Lab, api: SocketAddr, pairing: &str) -> Result<Status> {
    let pairing: PairingString = pairing.parse()?;
    let config = tls::pinned_client(pairing.pin)?;
    block_on(lab, async {
        let channel = channel(config, "node", api).await?;
        let answer = MachineServiceClient::new(channel)
            .version(VersionRequest {})
            .await;
        answer.err().context("it was not refused")
    })
}

/// What `osctl gen secrets` made.
pub(crate) struct Secrets {
    pub(crate) authority: Authority,
    pub(crate) nodes: Trust,
}

impl Secrets {
    /// The secrets of a lab's node.
    pub(crate) fn read(lab: &Lab) -> Result<Self> {
        let text = fs::read_to_string(lab.home().join("secrets.yaml"))?;
        let secrets: Value = serde_yaml::from_str(&text)?;
        let part = |name| {
            let part = secrets.pointer(name).and_then(Value::as_str);
            part.with_context(|| format!("{name} of the secrets"))
        };
        let (certificate, key) = (part("/api/certificate")?, part("/api/key")?);
        Ok(Self {
            authority: Authority::from_pem(certificate, key)?,
            nodes: Trust::from_pem(certificate)?,
        })
    }

    /// A client that may do everything.
    pub(crate) fn admin(&self) -> Result<Arc<ClientConfig>> {
        let roles = Roles::from_organizations([Role::Admin.organization()]);
        let hour = SignedDuration::from_hours(1);
        let own = self
            .authority
            .issue_client("admin", roles, hour, Timestamp::now())?;
        Ok(tls::client(&self.nodes, &own)?)
    }
}

/// Runs one conversation, which has its time.
pub(crate) fn block_on<T>(lab: &Lab, conversation: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = lab.patience(CONVERSATION);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let ended = async { tokio::time::timeout(limit, conversation).await };
    let ended = runtime.enable_all().build()?.block_on(ended);
    ended.context("the conversation takes too long")?
}

/// An encrypted connection to a node.
pub(crate) async fn channel(
    config: Arc<ClientConfig>,
    name: &str,
    api: SocketAddr,
) -> Result<Channel> {
    let (connector, name) = (TlsConnector::from(config), tls::server_name(name)?);
    let dial = tower::service_fn(move |_: Uri| {
        let (connector, name) = (connector.clone(), name.clone());
        async move {
            let stream = TcpStream::connect(api).await?;
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    // As little room as can be, for callers that do not read; for all others it makes no difference.
    let endpoint = Endpoint::from_static("https://node").initial_stream_window_size(1024);
    Ok(endpoint.connect_with_connector(dial).await?)
}
