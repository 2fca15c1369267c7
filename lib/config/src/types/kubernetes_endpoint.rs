//! Where the Kubernetes API is.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::host::{Host, HostFault};

/// The URL of the Kubernetes API: `https://HOST:PORT`, with a name or an address that is not this machine's alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct KubernetesEndpoint {
    host: Host,
    port: u16,
}

/// Why a text says not where the Kubernetes API is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubernetesEndpointError {
    /// Another protocol, or none.
    #[error("`{0}` does not begin with https://")]
    Protocol(String),
    /// More than a host and a port.
    #[error("`{0}` has more than a host and a port after `https://`")]
    More(String),
    /// No port, or none that there is.
    #[error("`{0}` does not end with a port, like https://10.0.0.2:6443")]
    Port(String),
    /// An IPv6 address that its port runs into.
    #[error("an IPv6 address stands in brackets, like https://[fd00::2]:6443: `{0}`")]
    Brackets(String),
    /// Neither an address nor a name.
    #[error("{0}")]
    Host(String),
    /// Every machine means itself by it.
    #[error("`{0}` is every machine itself; name one that all of them reach the API by")]
    Own(String),
}

impl KubernetesEndpoint {
    /// The port of the API where nobody says another.
    pub const PORT: u16 = 6443;

    /// The endpoint at a host that may be written without protocol and port, as people say it: `10.0.0.2`, `fd00::2`,
    /// `k8s.example.org:443`, or a whole URL.
    ///
    /// # Errors
    /// When it is none, in words about what the whole URL would be.
    pub fn from_host(text: &str) -> Result<Self, KubernetesEndpointError> {
        if text.contains("://") {
            return text.parse();
        }
        let port = Self::PORT;
        let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        match bare.unwrap_or(text).parse() {
            Ok(address) => {
                let host = Host::Address(address).in_url();
                format!("https://{host}:{port}").parse()
            }
            Err(_) if text.contains(':') => format!("https://{text}").parse(),
            Err(_) => format!("https://{text}:{port}").parse(),
        }
    }

    /// The name or the address.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for KubernetesEndpoint {
    type Err = KubernetesEndpointError;

    fn from_str(text: &str) -> Result<Self, KubernetesEndpointError> {
        let of = |it: fn(String) -> KubernetesEndpointError| it(text.to_owned());
        let rest = text.strip_prefix("https://");
        let rest = rest.ok_or_else(|| of(KubernetesEndpointError::Protocol))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(of(KubernetesEndpointError::More));
        }
        let (host, port) =
            Host::with_port(rest, "where the Kubernetes API is").map_err(|fault| match fault {
                HostFault::Port => of(KubernetesEndpointError::Port),
                HostFault::Brackets => of(KubernetesEndpointError::Brackets),
                HostFault::Host(why) => KubernetesEndpointError::Host(why),
            })?;
        let own = match &host {
            Host::Address(it) => it.is_loopback(),
            Host::Name(it) => it.as_str() == "localhost" || it.as_str().ends_with(".localhost"),
        };
        if own {
            return Err(KubernetesEndpointError::Own(host.to_string()));
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for KubernetesEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.host.in_url(), self.port)
    }
}

super::as_text!(KubernetesEndpoint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, url) in [
            ("https://10.0.0.2:6443", "https://10.0.0.2:6443"),
            ("https://[FD00:0::2]:443/", "https://[fd00::2]:443"),
            ("https://k8s.example.org:1", "https://k8s.example.org:1"),
        ] {
            let endpoint: KubernetesEndpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), url);
            assert_eq!(KubernetesEndpoint::from_host(text), Ok(endpoint));
        }
        for (text, url) in [
            ("10.0.0.2", "https://10.0.0.2:6443"),
            ("10.0.0.2:443", "https://10.0.0.2:443"),
            ("fd00::2", "https://[fd00::2]:6443"),
            ("[fd00::2]", "https://[fd00::2]:6443"),
            ("[fd00::2]:443", "https://[fd00::2]:443"),
            ("k8s", "https://k8s:6443"),
        ] {
            let endpoint = KubernetesEndpoint::from_host(text);
            assert_eq!(endpoint.map(|it| it.to_string()).as_deref(), Ok(url));
        }
    }

    #[test]
    fn no_endpoints() {
        let error = |text: &str| text.parse::<KubernetesEndpoint>().unwrap_err();
        for text in ["", "10.0.0.2:6443", "http://a:1", "HTTPS://a:1"] {
            assert_eq!(error(text), KubernetesEndpointError::Protocol(text.into()));
        }
        for text in ["https://a:1/api", "https://a@b:1"] {
            assert_eq!(error(text), KubernetesEndpointError::More(text.into()));
        }
        for text in ["https://a", "https://a:0", "https://10.0.0.2"] {
            assert_eq!(error(text), KubernetesEndpointError::Port(text.into()));
        }
        let text = "https://fd00::2:6443";
        assert_eq!(error(text), KubernetesEndpointError::Brackets(text.into()));
        for (text, own) in [
            ("https://localhost:6443", "localhost"),
            ("https://a.localhost:6443", "a.localhost"),
            ("https://127.0.0.9:6443", "127.0.0.9"),
            ("https://[::1]:6443", "::1"),
        ] {
            assert_eq!(error(text), KubernetesEndpointError::Own(own.into()));
        }
        for text in ["https://A:1", "https://0.0.0.0:1", "https://10.0.0:1"] {
            let refused = error(text);
            assert!(
                matches!(refused, KubernetesEndpointError::Host(_)),
                "{text}"
            );
        }
    }
}
