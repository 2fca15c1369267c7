//! Names to addresses, as a libc would find them: /etc/hosts, /etc/resolv.conf with its search domains and `ndots`.
//!
//! By `hickory-resolver`, on purpose not by the code that nodes resolve names with: who shares that cannot see its
//! mistakes. The libc's own is out of the question in a static program.

use std::io;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;

/// Where a container has it.
const SETTINGS: &str = "/etc/resolv.conf";

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// There are no settings.
    #[error("read {SETTINGS}")]
    Read(#[source] io::Error),
    /// They are not usable.
    #[error("use {SETTINGS}")]
    Settings(#[source] Box<NetError>),
    /// Nobody knows it, or nobody answered.
    #[error("look up {0:?}")]
    Lookup(String, #[source] Box<NetError>),
}

/// Somebody to ask.
#[derive(Debug)]
pub struct Names {
    settings: Vec<u8>,
    server: Option<SocketAddr>,
}

impl Names {
    /// As the system says; or by another server, with the same search domains.
    ///
    /// # Errors
    /// When the settings are there and cannot be read. Where there are none, addresses can still be looked up.
    pub fn system(server: Option<SocketAddr>) -> Result<Self, NamesError> {
        match std::fs::read(SETTINGS) {
            Ok(settings) => Ok(Self::new(settings, server)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::new(Vec::new(), server))
            }
            Err(error) => Err(NamesError::Read(error)),
        }
    }

    /// By the text of a `resolv.conf`.
    #[must_use]
    pub fn new(settings: Vec<u8>, server: Option<SocketAddr>) -> Self {
        Self { settings, server }
    }

    /// The addresses of a host, at least one.
    ///
    /// # Errors
    /// When it has none, or nobody answers.
    pub async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NamesError> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let failed = |error| NamesError::Lookup(name.to_owned(), Box::new(error));
        let found = self.resolver()?.lookup_ip(name).await.map_err(failed)?;
        Ok(found.iter().collect())
    }

    /// Anew for every lookup: what is asked is to be asked of the servers, not of a cache.
    fn resolver(&self) -> Result<TokioResolver, NamesError> {
        let unusable = |error| NamesError::Settings(Box::new(error));
        let mut settings = self.settings.clone();
        if let Some(server) = self.server {
            // It takes the place of the others, and is enough where there are none.
            settings.extend(format!("\nnameserver {}\n", server.ip()).into_bytes());
        }
        let (config, options) = parse_resolv_conf(&settings).map_err(unusable)?;
        let config = match self.server {
            Some(server) => only(&config, server),
            None => config,
        };
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        *builder.options_mut() = options;
        builder.build().map_err(unusable)
    }
}

/// The same with one server, which may have a port of its own.
fn only(config: &ResolverConfig, server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut it| {
        it.port = server.port();
        it
    });
    let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
    let domain = config.domain().cloned();
    ResolverConfig::from_parts(domain, config.search().to_vec(), vec![server])
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use simple_dns::rdata::{A, RData};
    use simple_dns::{CLASS, Packet, QTYPE, RCODE, ResourceRecord, TYPE};
    use tokio::net::UdpSocket;

    use super::*;

    /// A service of a cluster, and its address.
    const SERVICE: (&str, Ipv4Addr) =
        ("web.default.svc.cluster.local", Ipv4Addr::new(10, 96, 0, 7));

    /// What a pod gets.
    const POD: &str = "search default.svc.cluster.local svc.cluster.local cluster.local\n\
        nameserver 192.0.2.1\noptions ndots:5 timeout:60\n";

    fn answer(query: &[u8], asked: &mut Vec<String>) -> Vec<u8> {
        let mut packet = Packet::parse(query).unwrap().into_reply();
        let question = packet.questions.first().unwrap();
        let (name, four) = (
            question.qname.clone(),
            question.qtype == QTYPE::TYPE(TYPE::A),
        );
        let text = name.to_string().to_lowercase();
        let (known, address) = SERVICE;
        if text == known && four {
            let data = RData::A(A {
                address: address.into(),
            });
            packet
                .answers
                .push(ResourceRecord::new(name, CLASS::IN, 60, data));
        } else if text != known {
            *packet.rcode_mut() = RCODE::NameError;
        }
        // On a busy machine it may be asked again before it could answer.
        if four && asked.last() != Some(&text) {
            asked.push(text);
        }
        packet.build_bytes_vec().unwrap()
    }

    /// Looks a name up at a server of this test; gives what it got, and the names that were asked for.
    async fn lookup(name: &str) -> (Result<Vec<IpAddr>, NamesError>, Vec<String>) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let names = Names::new(POD.into(), Some(socket.local_addr().unwrap()));
        let mut asked = Vec::new();
        let serve = async {
            loop {
                let mut buffer = [0; 512];
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let reply = answer(&buffer[..length], &mut asked);
                socket.send_to(&reply, from).await.unwrap();
            }
        };
        let found = tokio::select! {
            found = names.lookup(name) => found,
            () = serve => panic!("the server never ends"),
        };
        (found, asked)
    }

    #[tokio::test]
    async fn a_short_name_is_found_by_the_search_domains() {
        let (service, address) = SERVICE;
        for name in ["web", "web.default", "web.default.svc"] {
            let (found, asked) = lookup(name).await;
            assert_eq!(found.unwrap(), [IpAddr::V4(address)], "{name}");
            assert_eq!(
                asked.last().map(String::as_str),
                Some(service),
                "{name}: {asked:?}"
            );
        }
        let (found, asked) = lookup(&format!("{service}.")).await;
        assert_eq!(found.unwrap(), [IpAddr::V4(address)]);
        assert_eq!(asked, [service]);
    }

    #[tokio::test]
    async fn few_dots_are_searched_first_and_nothing_is_an_error() {
        let (found, asked) = lookup("a.example").await;
        let error = found.unwrap_err();
        assert_eq!(error.to_string(), "look up \"a.example\"");
        let domains = [
            "default.svc.cluster.local",
            "svc.cluster.local",
            "cluster.local",
        ];
        let mut wanted = domains.map(|it| format!("a.example.{it}")).to_vec();
        wanted.push("a.example".to_owned());
        assert_eq!(asked, wanted);
    }

    #[tokio::test]
    async fn addresses_need_no_settings_and_names_do() {
        let names = Names::new(Vec::new(), None);
        for address in ["192.0.2.1", "2001:db8::1"] {
            let found = names.lookup(address).await.unwrap();
            assert_eq!(found, [address.parse::<IpAddr>().unwrap()]);
        }
        let error = names.lookup("a").await.unwrap_err();
        assert_eq!(error.to_string(), "use /etc/resolv.conf");
    }
}
