//! Connections to nodes: which nodes a command is for, and a channel to each.

use std::io;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use pki::pairing::Pin;
use pki::{Identity, Trust, tls};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::context::{Context, Node};
use crate::exit::usage;
use crate::names::{OtherNames, host_of};
use crate::refusal::{Holds, Judged};
use crate::tunnel;

/// Where a command goes, and the name that the certificate there must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// How the node is called in results.
    pub(crate) name: String,
    /// The name the certificate is checked against.
    pub(crate) server_name: String,
    /// `HOST:PORT`.
    pub(crate) address: String,
}

/// Finds the nodes that `-n` names: nodes of the context by name, anything else as an address. Without `-n`, all nodes
/// of the context.
pub(crate) fn targets(context: &Context, asked: &[String]) -> Result<Vec<Target>> {
    if !asked.is_empty() {
        return asked.iter().map(|name| target(context, name)).collect();
    }
    if context.nodes.is_empty() {
        return Err(usage("the context knows no node; name one with -n ADDRESS"));
    }
    Ok(context.nodes.iter().map(known).collect())
}

/// As [`targets`], for a command that changes something: several nodes must be asked for by name.
pub(crate) fn targets_of_a_change(context: &Context, asked: &[String]) -> Result<Vec<Target>> {
    if asked.is_empty() && context.nodes.len() > 1 {
        let names: Vec<_> = context
            .nodes
            .iter()
            .map(|node| node.name.as_str())
            .collect();
        return Err(usage(format!(
            "this changes a node, and the context knows several; name them with -n: {}",
            names.join(",")
        )));
    }
    targets(context, asked)
}

fn known(node: &Node) -> Target {
    Target {
        name: node.name.clone(),
        server_name: node.name.clone(),
        address: node.address.clone(),
    }
}

/// The node that a name of `-n` means.
pub(crate) fn target(context: &Context, name: &str) -> Result<Target> {
    if let Some(node) = context.nodes.iter().find(|node| node.name == name) {
        return Ok(known(node));
    }
    let address = with_port(name)?;
    let host = host_of(&address).to_owned();
    Ok(Target {
        name: name.to_owned(),
        server_name: host,
        address,
    })
}

/// Adds the API's port where none is given: `host`, `host:port`, `::1`, `[::1]:port`.
pub(crate) fn with_port(address: &str) -> Result<String> {
    let whole = add_port(address)?;
    check_name(host_of(&whole))?;
    Ok(whole)
}

/// Refuses what no certificate could be for.
pub(crate) fn check_name(name: &str) -> Result<()> {
    match tls::server_name(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(usage(format!(
            "{name:?} is neither a host name nor an address"
        ))),
    }
}

fn add_port(address: &str) -> Result<String> {
    if address.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(format!("[{address}]:{}", api::PORT));
    }
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !address.ends_with(']') => {
            if port.parse::<NonZeroU16>().is_err() {
                return Err(usage(format!(
                    "{address:?} is no node: the part after the colon must be a port, 1 to 65535"
                )));
            }
            Ok(address.to_owned())
        }
        _ if address.is_empty() => Err(usage("a node's name or address is empty")),
        _ => Ok(format!("{address}:{}", api::PORT)),
    }
}

/// A node as the command line names it, `NAME=ADDRESS`.
pub(crate) fn parse_node(text: &str) -> Result<Node> {
    let Some((name, address)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(usage(format!("{text:?} is not NAME=ADDRESS")));
    };
    check_name(name)?;
    Ok(Node {
        name: name.to_owned(),
        address: with_port(address)?,
    })
}

/// How long the straight way to a node has before the ways through others are tried beside it: a handshake over the worst of
/// lines. One that fails at once is not waited for.
const HEAD_START: Duration = Duration::from_secs(5);

/// Opens a channel to a node with the context's identity; both sides prove themselves. A node that is not reached straight is
/// reached through another one of the context.
pub(crate) async fn connect(
    context: &Context,
    target: &Target,
    patience: Duration,
) -> Result<Channel> {
    let own = Own::of(context)?;
    // What is asked for by another port is none of what other nodes lead to.
    let known_there = context.nodes.iter().any(|it| it.name == target.name)
        || target.address.ends_with(&format!(":{}", api::PORT));
    let others = context.nodes.iter().filter(|_| known_there).map(known);
    let way = Way {
        address: target.address.clone(),
        member: target.server_name.clone(),
        through: others.filter(|it| it.address != target.address).collect(),
        own: Some(own.clone()),
    };
    channel(
        own.config,
        Some(own.holds),
        &target.server_name,
        way,
        patience,
    )
    .await
}

/// Who we are to nodes of a context.
#[derive(Clone)]
struct Own {
    config: Arc<ClientConfig>,
    holds: Holds,
}

impl Own {
    fn of(context: &Context) -> Result<Self> {
        let trust = Trust::from_pem(&context.ca).context("reading the context's authority")?;
        let own = Identity::from_pem(&context.certificate, &context.key)
            .context("reading the context's identity")?;
        let config = tls::client(&trust, &own).context("preparing mutual TLS")?;
        let holds = Holds::of(own.certificate());
        Ok(Self { config, holds })
    }
}

/// A connection that may be one through another node.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How a node is reached.
#[derive(Clone)]
struct Way {
    /// Straight: `HOST:PORT`.
    address: String,
    /// What other nodes know it by.
    member: String,
    /// The others.
    through: Vec<Target>,
    /// Who we are to them; nobody yet to a node that waits for its config.
    own: Option<Own>,
}

impl Way {
    fn straight(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            member: String::new(),
            through: Vec::new(),
            own: None,
        }
    }

    /// Takes it, while who waits for it still does: what becomes of each part is known before that.
    async fn take(&self, patience: Duration) -> io::Result<Box<dyn Stream>> {
        let (begun, limit) = (Instant::now(), before(patience));
        // Made now, so that it counts from now on, whenever somebody begins to wait for it.
        let end = || sleep(limit);
        let straight = async {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        let around = self.through.iter().filter_map(|node| {
            let own = self.own.clone()?;
            let opened = async move {
                let way = Self::straight(&node.address);
                let name = &node.server_name;
                let left = before(limit.saturating_sub(begun.elapsed()));
                let channel = channel(own.config, Some(own.holds), name, way, left);
                let stream = tunnel::open(channel.await?, &self.member).await?;
                Ok(Box::new(stream) as Box<dyn Stream>)
            };
            Some((node.name.clone(), tunnel::until(end(), opened)))
        });
        let around = tunnel::first(around.collect());
        let straight = tunnel::until(end(), straight);
        let head_start = sleep(HEAD_START.min(limit / 2));
        tunnel::race(straight, head_start, around).await
    }
}

/// A little less than a time that somebody waits: so that he hears why he waited in vain.
fn before(patience: Duration) -> Duration {
    patience - patience / 10
}

/// Opens a channel to a node in maintenance mode: its key must match the first half of the pairing string.
pub(crate) async fn connect_pinned(pin: Pin, address: &str, patience: Duration) -> Result<Channel> {
    let config = tls::pinned_client(pin).context("preparing TLS")?;
    let way = Way::straight(address);
    channel(config, None, host_of(address), way, patience).await
}

/// A channel over a way, which itself may be part of another one: hence the box.
fn channel(
    config: Arc<ClientConfig>,
    holds: Option<Holds>,
    name: &str,
    way: Way,
    patience: Duration,
) -> BoxFuture<'_, Result<Channel>> {
    Box::pin(async move {
        let address = way.address.clone();
        let server_name =
            tls::server_name(name).with_context(|| format!("{name:?} is no host name"))?;
        let connector = TlsConnector::from(config);
        let dial = tower::service_fn({
            move |_: Uri| {
                let (connector, server_name, way) =
                    (connector.clone(), server_name.clone(), way.clone());
                async move {
                    let stream = way.take(patience).await?;
                    let stream = connector.connect(server_name, stream).await?;
                    Ok::<_, std::io::Error>(TokioIo::new(Judged::new(stream, holds)))
                }
            }
        });
        let endpoint = Endpoint::from_static("https://node")
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        let connected = tokio::time::timeout(patience, endpoint.connect_with_connector(dial)).await;
        let Ok(connected) = connected else {
            bail!("{address} did not answer in {} s", patience.as_secs());
        };
        let connected = connected.map_err(anyhow::Error::from);
        connected
            .map_err(|error| match OtherNames::of(&error, name, &address) {
                Some(names) => names.into(),
                None => error,
            })
            .with_context(|| format!("connecting to {address}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(nodes: &[&str]) -> Context {
        let node = |name: &&str| Node {
            name: (*name).into(),
            address: "127.0.0.1:40001".into(),
        };
        Context {
            ca: String::new(),
            certificate: String::new(),
            key: String::new(),
            nodes: nodes.iter().map(node).collect(),
        }
    }

    #[test]
    fn a_known_name_goes_where_the_context_says() {
        let found = targets(&context(&["one", "two"]), &["two".into()]).expect("found");
        assert_eq!(
            found,
            [Target {
                name: "two".into(),
                server_name: "two".into(),
                address: "127.0.0.1:40001".into()
            }]
        );
    }

    #[test]
    fn an_address_is_checked_against_itself() {
        for (asked, address, server_name) in [
            ("10.0.0.5", "10.0.0.5:50000", "10.0.0.5"),
            ("node.lab:6000", "node.lab:6000", "node.lab"),
            ("fd00::5", "[fd00::5]:50000", "fd00::5"),
            ("[fd00::5]:7", "[fd00::5]:7", "fd00::5"),
            ("[fd00::5]", "[fd00::5]:50000", "fd00::5"),
        ] {
            let found = target(&context(&[]), asked).expect(asked);
            assert_eq!(
                (found.address.as_str(), found.server_name.as_str()),
                (address, server_name)
            );
        }
        for wrong in [
            "host:port",
            "host:0",
            "",
            "a b",
            "a b:50000",
            "[::g]",
            "-:1",
        ] {
            let error = target(&context(&[]), wrong).expect_err(wrong);
            assert!(error.is::<crate::exit::WrongUsage>(), "{error}");
        }
    }

    #[test]
    fn a_change_of_several_nodes_must_name_them() {
        let error = targets_of_a_change(&context(&["one", "two"]), &[]).expect_err("refused");
        assert!(
            error.to_string().ends_with("name them with -n: one,two"),
            "{error}"
        );
        assert_eq!(
            targets_of_a_change(&context(&["one"]), &[])
                .expect("one")
                .len(),
            1
        );
    }
}
