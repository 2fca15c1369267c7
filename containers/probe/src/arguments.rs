//! The command line.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use hyper::Uri;
use tokio::net::TcpListener;

/// DNS.
const DNS_PORT: u16 = 53;

/// A workload for tests of a cluster.
///
/// Exit codes: 0 all was well, 1 it was not, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "probe", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer every HTTP request with what it was, as JSON
    Http {
        /// Where to listen; without an address, on all
        #[arg(long, value_name = "[ADDRESS]:PORT", default_value = ":8080")]
        listen: Listen,
    },
    /// Send back what comes over TCP
    Tcp {
        /// Where to listen; without an address, on all
        #[arg(long, value_name = "[ADDRESS]:PORT", default_value = ":8007")]
        listen: Listen,
    },
    /// Send numbered messages to a `probe tcp` until SIGTERM, and tell gaps and losses as JSON lines
    ///
    /// A connection that breaks is made again. It ends with 1 when any did, or when messages were lost.
    Stream {
        /// The server
        #[arg(value_name = "HOST:PORT")]
        target: Target,
        /// How to send.
        #[command(flatten)]
        pace: Pace,
    },
    /// Print the addresses of a name, as /etc/hosts, /etc/resolv.conf and the servers in it say
    Lookup {
        /// The name; with a dot at its end it is whole and no search domain is tried
        name: String,
        /// Ask this server instead
        #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = server)]
        server: Option<SocketAddr>,
    },
    /// Print what a URL answers with success, trying again until it does
    Get {
        /// A page
        #[arg(value_name = "http://HOST[:PORT]/PATH", value_parser = url)]
        url: Uri,
        /// How often and how long to try.
        #[command(flatten)]
        patience: Patience,
    },
}

/// How a stream sends.
#[derive(Clone, Debug, clap::Args)]
pub struct Pace {
    /// Time between two messages
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = seconds)]
    pub every: Duration,
    /// A pause between two echoes from which on it is told
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub gap: Duration,
    /// End after this many messages
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// How often and how long something is tried.
#[derive(Clone, Debug, clap::Args)]
pub struct Patience {
    /// Try for so long
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub deadline: Duration,
    /// Give up one try after this
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub timeout: Duration,
    /// Wait so long before the next
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub pause: Duration,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    address: Option<IpAddr>,
    port: u16,
}

impl Listen {
    /// Listens; without an address on all, of both families where both are there.
    ///
    /// # Errors
    /// When the port is taken, or the address is not one of the host's.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        if let Some(address) = self.address {
            return TcpListener::bind((address, self.port)).await;
        }
        match TcpListener::bind((Ipv6Addr::UNSPECIFIED, self.port)).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)).await,
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = text.strip_prefix(':').and_then(|port| port.parse().ok());
        if let Some(port) = port {
            return Ok(Self {
                address: None,
                port,
            });
        }
        let address: Result<SocketAddr, _> = text.parse();
        address
            .map(|it| Self {
                address: Some(it.ip()),
                port: it.port(),
            })
            .map_err(|_| "want :PORT, ADDRESS:PORT or [ADDRESS]:PORT".to_owned())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => SocketAddr::new(address, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or("want HOST:PORT")?;
        let six = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if host.is_empty() || (six.is_none() && host.contains(':')) {
            return Err("want HOST:PORT, or [ADDRESS]:PORT".to_owned());
        }
        Ok(Self {
            host: six.unwrap_or(host).to_owned(),
            port,
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "want a number of seconds")?;
    let duration = Duration::try_from_secs_f64(number).map_err(|error| error.to_string())?;
    // A clock with a period of zero would never rest, and one that runs over would end the program.
    if duration.is_zero() || duration > Duration::from_hours(24 * 365) {
        return Err("want more than nothing, and at most a year".to_owned());
    }
    Ok(duration)
}

fn server(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, DNS_PORT));
    address
        .or_else(|_| text.parse())
        .map_err(|_| "want ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT".to_owned())
}

fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|_| "not a URL")?;
    if url.scheme_str() != Some("http") || url.host().is_none_or(str::is_empty) {
        return Err("want http://HOST[:PORT]/PATH".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(words: &str) -> Result<Command, clap::Error> {
        Arguments::try_parse_from(words.split(' ')).map(|it| it.command)
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn addresses_are_read() {
        for text in [":80", "127.0.0.1:80", "[::1]:80"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        let target = |text: &str| text.parse::<Target>().map(|it| (it.host, it.port));
        assert_eq!(target("a.b:7"), Ok(("a.b".to_owned(), 7)));
        assert_eq!(target("[::1]:7"), Ok(("::1".to_owned(), 7)));
        for bad in ["a", ":7", "a:b", "::1:7", "a:70000"] {
            assert!(target(bad).is_err(), "{bad}");
        }
        assert_eq!(server("::1").unwrap().to_string(), "[::1]:53");
        assert_eq!(server("192.0.2.1:5353").unwrap().port(), 5353);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        parse("probe get http://a.example/x?y --deadline 0.5").unwrap();
        for bad in [
            "probe get https://a.example/",
            "probe get a.example",
            "probe get http:///x",
            "probe get http://a --deadline -1",
            "probe get http://a --pause NaN",
            "probe stream a:1 --every 0",
            "probe stream a:1 --every 1e30",
            "probe stream a:1 --count 0",
            "probe http --listen 8080",
            "probe lookup a --server a.example",
        ] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
    }
}
