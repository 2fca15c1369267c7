//! The addresses of hosts, for this daemon itself: it is linked statically, so the C library's resolver cannot be used,
//! and its calls would block.
//!
//! Hosts of the config first, then the node's name servers, one after the other, over UDP and, when an answer does not
//! fit, TCP. Nothing is kept: who asks often keeps what it was told.

mod message;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::config::Host;
use futures_util::future::BoxFuture;
use resources::net::{MERGED, RESOLVERS, ResolverSpec, StaticHostSpec};
use store::{Snapshot, Store};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use self::message::{Answer, Query};

/// Where name servers listen (RFC 1035 §4.2).
const PORT: u16 = 53;

/// How long a server has for an answer: the C library's own 5 seconds leave too little for the second server.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often every server is asked before the name is given up, as the C library has it (`RES_DFLRETRY`).
const ROUNDS: usize = 2;

/// More than a server sends over UDP to a client that has not asked for more (512), in case one does all the same.
const MOST_UDP: usize = 4096;

/// What the node knows about names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolvers {
    /// Whom to ask, best first.
    pub servers: Vec<SocketAddr>,
    /// Domains to try for short names.
    pub search: Vec<String>,
    /// Hosts that need not be asked for, by their names in lower case.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
}

/// Why a name led nowhere.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LookupError {
    /// It cannot be one.
    #[error("`{0}` is no name of a host")]
    NoName(String),
    /// There is nobody to ask.
    #[error("nobody can be asked for the address of `{0}`: the node has no name server yet")]
    NoServer(String),
    /// The servers know it, or rather do not.
    #[error("no host is called `{0}`")]
    Unknown(String),
    /// The last server's failure.
    #[error("no name server says where `{name}` is; the last one asked: {reason}")]
    Failed {
        /// The name.
        name: String,
        /// What it said, or that it said nothing.
        reason: String,
    },
}

/// What a name leads to; why it leads nowhere is for a person.
pub type Found = Result<Vec<IpAddr>, String>;

/// A way to look names up.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(String) -> BoxFuture<'static, Found> + Send + Sync>);

impl Lookup {
    /// This way.
    pub fn new(with: impl Fn(String) -> BoxFuture<'static, Found> + Send + Sync + 'static) -> Self {
        Self(Arc::new(with))
    }

    /// What a name leads to now.
    pub(crate) fn name(&self, name: String) -> BoxFuture<'static, Found> {
        (self.0)(name)
    }

    /// The addresses of a host; never none.
    pub(crate) async fn addresses(&self, host: &Host) -> Found {
        match host {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name) => self.name(name.to_string()).await,
        }
    }

    /// The node's own: its hosts, and its name servers as they are then.
    #[must_use]
    pub fn of(store: Store) -> Self {
        Self::new(move |name| {
            let resolvers = Resolvers::of(&store.snapshot());
            Box::pin(async move {
                let found = lookup(&name, &resolvers).await;
                found.map_err(|error| cosi::report(&error))
            })
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}

impl Resolvers {
    /// What the node knows now.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut hosts = BTreeMap::<String, Vec<IpAddr>>::new();
        for host in snapshot.list_as::<StaticHostSpec>(MERGED) {
            let StaticHostSpec {
                name,
                addresses,
                aliases,
                ..
            } = &*host.spec;
            for name in std::iter::once(name).chain(aliases) {
                let known = hosts.entry(name.to_ascii_lowercase()).or_default();
                known.extend(addresses);
            }
        }
        let spec = snapshot.get_as::<ResolverSpec>(MERGED, RESOLVERS);
        let (servers, search) = spec.map_or_else(Default::default, |it| {
            let servers = it.spec.servers.iter();
            let servers = servers.map(|it| SocketAddr::new(*it, PORT)).collect();
            (servers, it.spec.search.clone())
        });
        Self {
            servers,
            search,
            hosts,
        }
    }

    /// The whole names that a name may mean, the likeliest first; without dots at their ends.
    fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(whole) = name.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let searched = self.search.iter();
        let searched = searched.map(|it| format!("{name}.{}", it.trim_end_matches('.')));
        let own = std::iter::once(name.to_owned());
        if name.contains('.') {
            own.chain(searched).collect()
        } else {
            searched.chain(own).collect()
        }
    }
}

/// The addresses of a host, never none: those of the older protocol first, which more networks carry to the end.
///
/// Ends by itself, at the latest when every server has let every question wait twice.
///
/// # Errors
/// Why there is no address.
pub async fn lookup(name: &str, resolvers: &Resolvers) -> Result<Vec<IpAddr>, LookupError> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let plain = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if let Some(known) = resolvers.hosts.get(&plain).filter(|it| !it.is_empty()) {
        return Ok(known.clone());
    }
    // No server is to be believed about this one (RFC 6761 §6.3).
    if plain == "localhost" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    if resolvers.servers.is_empty() {
        return Err(LookupError::NoServer(name.to_owned()));
    }
    let mut failure = None;
    for candidate in resolvers.candidates(name) {
        match ask_servers(&candidate, &resolvers.servers).await? {
            Ok(addresses) if addresses.is_empty() => {}
            Ok(addresses) => return Ok(addresses),
            Err(reason) => failure = Some(reason),
        }
    }
    Err(match failure {
        Some(reason) => LookupError::Failed {
            name: name.to_owned(),
            reason,
        },
        None => LookupError::Unknown(name.to_owned()),
    })
}

/// Asks one server after the other until one knows; what the last one said if none does.
async fn ask_servers(
    name: &str,
    servers: &[SocketAddr],
) -> Result<Result<Vec<IpAddr>, String>, LookupError> {
    let mut last = String::new();
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        let (four, six) = tokio::join!(ask(name, false, *server), ask(name, true, *server));
        match (four?, six?) {
            (Ok(mut addresses), Ok(six)) => {
                addresses.extend(six);
                return Ok(Ok(addresses));
            }
            // One family is enough to get there.
            (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => return Ok(Ok(some)),
            (Err(reason), _) | (_, Err(reason)) => last = format!("{server}: {reason}"),
        }
    }
    Ok(Err(last))
}

async fn ask(
    name: &str,
    six: bool,
    server: SocketAddr,
) -> Result<Result<Vec<IpAddr>, String>, LookupError> {
    let mut id = [0; 2];
    if aws_lc_rs::rand::fill(&mut id).is_err() {
        return Ok(Err("there are no random numbers".to_owned()));
    }
    let query = Query {
        name: name.to_owned(),
        six,
        id: u16::from_ne_bytes(id),
    };
    let bytes = query
        .encode()
        .ok_or_else(|| LookupError::NoName(name.to_owned()))?;
    let asked = async {
        match over_udp(&query, &bytes, server).await? {
            Answer::Truncated => over_tcp(&query, &bytes, server).await,
            answer => Ok(answer),
        }
    };
    Ok(match timeout(PATIENCE, asked).await {
        Ok(Ok(Answer::Addresses(addresses))) => Ok(addresses),
        Ok(Ok(Answer::NoSuchName)) => Ok(Vec::new()),
        Ok(Ok(Answer::Truncated)) => Err("it cuts its answers off".to_owned()),
        Ok(Ok(Answer::Failed(reason))) => Err(reason),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    })
}

/// Waits for the answer among whatever else comes.
async fn over_udp(query: &Query, bytes: &[u8], server: SocketAddr) -> io::Result<Answer> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Nobody else is heard on a connected socket.
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; MOST_UDP];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = buffer.get(..length).and_then(|it| query.decode(it)) {
            return Ok(answer);
        }
    }
}

/// The same with the length before every message (RFC 1035 §4.2.2).
async fn over_tcp(query: &Query, bytes: &[u8], server: SocketAddr) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    let answer = query.decode(&answer);
    answer.ok_or_else(|| io::Error::other("it answers another question"))
}

#[cfg(test)]
mod tests;
