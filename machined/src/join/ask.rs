//! A worker asks a control plane: one connection, one challenge, one request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::join_service_client::JoinServiceClient;
use hyper_util::rt::TokioIo;
use pki::{Challenge, Identity, IdentityError, Key, RequestError, Subject, Trust, tls};
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;
use tower::service_fn;

use super::{Held, KUBELET, KUBELET_SERVING, Kubelet, MACHINE};

/// How long until somebody who is there has taken the connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long all of it may take: the control plane asks its API server in between.
const ANSWER: Duration = Duration::from_secs(30);

/// Why nothing came of it.
#[derive(Debug, Error)]
pub(super) enum AskError {
    #[error("connecting")]
    Connect(#[source] io::Error),
    #[error("it did not answer in {} s", CONNECT.as_secs())]
    Silent,
    #[error("it took longer than {} s", ANSWER.as_secs())]
    Slow,
    #[error("its name cannot be one in a certificate")]
    Name,
    #[error("preparing TLS")]
    Tls(#[source] pki::tls::TlsError),
    #[error("proving itself as a control plane of this cluster")]
    Handshake(#[source] io::Error),
    #[error("speaking HTTP/2")]
    Http(#[source] tonic::transport::Error),
    #[error("{0}")]
    Refused(String),
    #[error("its challenge is none")]
    Challenge,
    #[error("making a request")]
    Request(#[from] RequestError),
    #[error("a certificate from it")]
    Certificate(#[from] IdentityError),
}

/// What a control plane gave.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    /// For the node's API.
    pub(super) machine: Identity,
    /// For the kubelet.
    pub(super) kubelet: Kubelet,
}

impl Issued {
    /// As what the worker has.
    pub(super) fn held(self) -> Held {
        Held {
            machine: Some(self.machine),
            kubelet: Some(self.kubelet),
        }
    }
}

/// A control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// As its certificate has it.
    pub(super) host: String,
    /// Where it is.
    pub(super) address: SocketAddr,
}

/// The keys of the worker, two of which are new ones.
pub(super) struct Keys<'a> {
    pub(super) machine: &'a Key,
    pub(super) kubelet: Key,
    pub(super) kubelet_serving: Key,
}

impl<'a> Keys<'a> {
    /// New ones for the kubelet.
    pub(super) fn new(machine: &'a Key) -> Result<Self, RequestError> {
        Ok(Self {
            machine,
            kubelet: Key::generate()?,
            kubelet_serving: Key::generate()?,
        })
    }
}

/// Who asks, and by what it knows whom it asks.
pub(super) struct Worker<'a> {
    pub(super) name: &'a str,
    pub(super) token: &'a str,
    pub(super) trust: &'a Trust,
    pub(super) keys: Keys<'a>,
}

impl Worker<'_> {
    /// Asks a control plane for all three certificates, calling from an address of the node's when one is given. `before` has what a
    /// call from another one got a moment ago.
    pub(super) async fn ask(
        &self,
        server: &Server,
        from: Option<IpAddr>,
        before: Option<&Issued>,
    ) -> Result<Issued, AskError> {
        let asked = async {
            let channel = self.connect(server, from).await?;
            self.request(channel, before).await
        };
        timeout(ANSWER, asked).await.map_err(|_| AskError::Slow)?
    }

    async fn connect(&self, server: &Server, from: Option<IpAddr>) -> Result<Channel, AskError> {
        let stream = timeout(CONNECT, dial(server.address, from)).await;
        let stream = stream.map_err(|_| AskError::Silent)?;
        let stream = stream.map_err(AskError::Connect)?;
        let config = tls::anonymous_client(self.trust).map_err(AskError::Tls)?;
        let name = tls::server_name(&server.host).map_err(|_| AskError::Name)?;
        let stream = TlsConnector::from(config).connect(name, stream).await;
        let stream = stream.map_err(AskError::Handshake)?;
        // The challenge is this connection's alone, so there is no second one.
        let once = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
        let connector = service_fn(move |_| {
            let stream = once.lock().ok().and_then(|mut it| it.take());
            async move { stream.ok_or_else(|| io::Error::other("the connection has ended")) }
        });
        let endpoint = tonic::transport::Endpoint::from_static("https://control-plane");
        let connected = endpoint.connect_with_connector(connector).await;
        connected.map_err(AskError::Http)
    }

    async fn request(&self, channel: Channel, before: Option<&Issued>) -> Result<Issued, AskError> {
        let refused = |status: tonic::Status| AskError::Refused(status.message().to_owned());
        let mut client = JoinServiceClient::new(channel);
        let challenge = client.challenge(v1::ChallengeRequest {}).await;
        let challenge = challenge.map_err(refused)?.into_inner().challenge;
        let challenge = Challenge::from_bytes(&challenge).ok_or(AskError::Challenge)?;
        let subject = |purpose| Subject {
            name: self.name,
            purpose,
            challenge: &challenge,
        };
        let Keys {
            machine,
            kubelet,
            kubelet_serving,
        } = &self.keys;
        let request = v1::IssueRequest {
            token: self.token.to_owned(),
            name: self.name.to_owned(),
            machine: machine.request(&subject(MACHINE))?,
            kubelet: kubelet.request(&subject(KUBELET))?,
            kubelet_serving: kubelet_serving.request(&subject(KUBELET_SERVING))?,
            before: before.map_or_else(String::new, |it| it.machine.certificate_pem().to_owned()),
        };
        let issued = client.issue(request).await;
        let issued = issued.map_err(refused)?.into_inner();
        let with = |pem: &str, key: &Key| Identity::from_pem(pem, key.pem().expose());
        Ok(Issued {
            machine: with(&issued.machine, machine)?,
            kubelet: Kubelet {
                client: with(&issued.kubelet, kubelet)?,
                serving: with(&issued.kubelet_serving, kubelet_serving)?,
            },
        })
    }
}

async fn dial(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
