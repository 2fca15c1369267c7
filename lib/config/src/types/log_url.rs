//! Where logs are sent.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::host::{Host, HostFault};

/// How lines travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogProtocol {
    /// One line after the other.
    Tcp,
    /// A packet for each line.
    Udp,
}

impl LogProtocol {
    /// As it stands before `://`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Where logs are sent: `tcp://HOST:PORT` or `udp://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct LogUrl {
    /// How.
    pub protocol: LogProtocol,
    /// To whom.
    pub host: Host,
    /// At which port, never 0.
    pub port: u16,
}

/// Why a text says not where logs are sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogUrlError {
    /// Encryption is not there yet.
    #[error(
        "logs cannot be sent over TLS yet; write `tcp://` and a host that only the node's own network reaches"
    )]
    Tls,
    /// Another protocol, or none.
    #[error("`{0}` does not begin with tcp:// or udp://")]
    Protocol(String),
    /// More than a host and a port.
    #[error("`{0}` has more than a host and a port after `://`")]
    More(String),
    /// No port, or none that there is.
    #[error("`{0}` does not end with a port, like tcp://10.0.0.9:5170")]
    Port(String),
    /// An IPv6 address that its port runs into.
    #[error("an IPv6 address stands in brackets, like tcp://[fd00::9]:5170: `{0}`")]
    Brackets(String),
    /// Neither an address nor a name.
    #[error("{0}")]
    Host(String),
}

impl FromStr for LogUrl {
    type Err = LogUrlError;

    fn from_str(text: &str) -> Result<Self, LogUrlError> {
        let of = |it: fn(String) -> LogUrlError| it(text.to_owned());
        let (protocol, rest) = match text.split_once("://") {
            Some(("tcp", rest)) => (LogProtocol::Tcp, rest),
            Some(("udp", rest)) => (LogProtocol::Udp, rest),
            Some(("tls" | "tcp+tls" | "https", _)) => return Err(LogUrlError::Tls),
            _ => return Err(of(LogUrlError::Protocol)),
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(of(LogUrlError::More));
        }
        let (host, port) =
            Host::with_port(rest, "a host that takes logs").map_err(|fault| match fault {
                HostFault::Port => of(LogUrlError::Port),
                HostFault::Brackets => of(LogUrlError::Brackets),
                HostFault::Host(why) => LogUrlError::Host(why),
            })?;
        Ok(Self {
            protocol,
            host,
            port,
        })
    }
}

impl fmt::Display for LogUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (protocol, host) = (self.protocol.as_str(), self.host.in_url());
        write!(f, "{protocol}://{host}:{}", self.port)
    }
}

super::as_text!(LogUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for text in [
            "tcp://10.0.0.9:5170",
            "udp://[fd00::9]:514",
            "tcp://logs.example.org:65535",
        ] {
            let url: LogUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
        }
        let six: LogUrl = "tcp://[FD00:0::9]:1".parse().unwrap();
        assert_eq!(six.to_string(), "tcp://[fd00::9]:1");
        let four: LogUrl = "tcp://[10.0.0.9]:1".parse().unwrap();
        assert_eq!(four.to_string(), "tcp://10.0.0.9:1");
    }

    #[test]
    fn no_urls() {
        let error = |text: &str| text.parse::<LogUrl>().unwrap_err();
        for text in ["", "10.0.0.9:5170", "http://a:1", "TCP://a:1"] {
            assert_eq!(error(text), LogUrlError::Protocol(text.to_owned()));
        }
        for text in ["tcp://a:1/", "tcp://a@b:1", "udp://a:1?b"] {
            assert_eq!(error(text), LogUrlError::More(text.to_owned()));
        }
        for text in [
            "tcp://a",
            "tcp://a:",
            "tcp://a:0",
            "tcp://a:+1",
            "tcp://a:65536",
        ] {
            assert_eq!(error(text), LogUrlError::Port(text.to_owned()));
        }
        for text in ["tcp://fd00::9:1", "tcp://[fd00::9:1"] {
            assert_eq!(error(text), LogUrlError::Brackets(text.to_owned()));
        }
        for text in [
            "tcp://:1",
            "tcp://10.0.0:1",
            "tcp://0.0.0.0:1",
            "tcp://[a]:1",
        ] {
            assert!(matches!(error(text), LogUrlError::Host(_)), "{text}");
        }
        assert_eq!(error("tls://a:1"), LogUrlError::Tls);
    }
}
