//! Registries as the names of images have them.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::WebUrl;
use super::host::Host;

/// What images of Docker's registry begin with, and nothing else of it does.
const DOCKER: &str = "docker.io";

/// Other names of the same, which are in URLs and in the settings of Docker; no image is looked for below them.
const ALSO_DOCKER: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

/// Where Docker's registry is asked.
const ASKED_DOCKER: &str = "registry-1.docker.io";

/// A registry, or a server that is asked in its place: `ghcr.io`, `registry.example.org:5000`. It is `docker.io` for images without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct RegistryHost {
    /// In the one spelling that it has.
    text: String,
    /// What is asked.
    host: Host,
    port: Option<u16>,
}

/// Which registry: one as the names of images begin, `ghcr.io` or `registry.example.org:5000`, `docker.io` for names without one, or `*`:
/// every one that no other document is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub enum RegistryName {
    /// Every one that no other document is about.
    Any,
    /// This one.
    One(RegistryHost),
}

/// Why a text is no registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// A URL, or the name of an image.
    #[error(
        "a registry is a host alone, like ghcr.io or registry.example.org:5000: no protocol, no user and no path"
    )]
    More,
    /// Where one is meant.
    #[error("`*` is no single registry; what all of them are believed by are TrustedRoots")]
    Any,
    /// Docker's, by another name.
    #[error("images of `{0}` are called docker.io/...; write docker.io")]
    Docker(String),
    /// No host, or no port.
    #[error("`{0}` is no host, nor one with a port like registry.example.org:5000")]
    Host(String),
}

impl RegistryHost {
    /// As the names of images have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a URL leads to it. Without a port it is where the protocol has it, 443 or 80.
    #[must_use]
    pub fn is_at(&self, url: &WebUrl) -> bool {
        let usual = if url.is_https() { 443 } else { 80 };
        self.host == *url.host() && self.port.unwrap_or(usual) == url.port()
    }

    /// Whether it says its port.
    #[must_use]
    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Where it is asked itself, over TLS.
    #[must_use]
    pub fn url(&self) -> WebUrl {
        WebUrl::of_server(self.host.clone(), self.port)
    }
}

/// Whether nobody else hears what is said to a host.
pub(crate) fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Address(address) => address.is_loopback(),
        Host::Name(name) => name.as_str() == "localhost",
    }
}

impl RegistryName {
    /// The word for every one.
    pub const ANY: &str = "*";

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => Self::ANY,
            Self::One(host) => host.as_str(),
        }
    }
}

impl FromStr for RegistryHost {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        if text == RegistryName::ANY {
            return Err(RegistryError::Any);
        }
        if text.contains(['/', '@']) {
            return Err(RegistryError::More);
        }
        // Behind the last bracket, or anywhere without one, a colon is that of a port.
        let bracket = text.rfind(']').map_or(0, |it| it + 1);
        let with_port = text.get(bracket..).is_some_and(|it| it.contains(':'));
        let whole = match with_port {
            true => text.to_owned(),
            false => format!("{text}:443"),
        };
        let read = Host::with_port(&whole, "a registry");
        let (host, port) = read.map_err(|_| RegistryError::Host(text.to_owned()))?;
        let (port, name) = match with_port {
            true => (Some(port), format!("{}:{port}", host.in_url())),
            false => (None, host.in_url()),
        };
        if ALSO_DOCKER.contains(&name.as_str()) {
            return Err(RegistryError::Docker(name));
        }
        let host = match name.as_str() {
            DOCKER => Host::Name(ASKED_DOCKER.parse().expect("it is a name")),
            _ => host,
        };
        Ok(Self {
            text: name,
            host,
            port,
        })
    }
}

impl FromStr for RegistryName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        match text {
            Self::ANY => Ok(Self::Any),
            one => one.parse().map(Self::One),
        }
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

super::as_text!(RegistryHost);
super::as_text!(RegistryName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries() {
        for name in [
            "ghcr.io",
            "docker.io",
            "registry.example.org:5000",
            "10.0.0.9:5000",
            "[fd00::9]:5000",
            "[fd00::9]",
            "localhost",
        ] {
            let host: RegistryHost = name.parse().unwrap();
            assert_eq!(host.as_str(), name);
            assert_eq!(name.parse(), Ok(RegistryName::One(host)));
        }
        assert_eq!("*".parse(), Ok(RegistryName::Any));
        let spelt: RegistryHost = "[fd00:0::0009]:05000".parse().unwrap();
        assert_eq!(spelt.as_str(), "[fd00::9]:5000");
    }

    #[test]
    fn no_registries() {
        let error = |text: &str| text.parse::<RegistryHost>().unwrap_err();
        for name in ["https://ghcr.io", "ghcr.io/a", "me:hunter2@ghcr.io"] {
            assert_eq!(error(name), RegistryError::More, "{name}");
        }
        for name in ["", "ghcr.io:0", "a_b", "fd00::9", "*.io", "0.0.0.0"] {
            assert_eq!(error(name), RegistryError::Host(name.to_owned()), "{name}");
        }
        assert_eq!(error("*"), RegistryError::Any);
        let docker = RegistryError::Docker("index.docker.io".to_owned());
        assert_eq!(error("index.docker.io"), docker);
    }

    #[test]
    fn a_url_leads_to_its_host_at_its_port() {
        let leads = |name: &str, url: &str| {
            let host: RegistryHost = name.parse().unwrap();
            host.is_at(&url.parse().unwrap())
        };
        for (name, url) in [
            ("a.lab", "https://a.lab/v2"),
            ("a.lab", "https://a.lab:443"),
            ("a.lab:443", "https://a.lab"),
            ("a.lab", "http://a.lab"),
            ("a.lab:5000", "http://a.lab:5000/a"),
            ("docker.io", "https://registry-1.docker.io"),
            ("[fd00::9]", "https://[fd00:0::9]"),
        ] {
            assert!(leads(name, url), "{name} {url}");
        }
        for (name, url) in [
            ("a.lab", "https://a.lab:5000"),
            ("a.lab", "https://b.lab"),
            ("a.lab:443", "http://a.lab"),
            ("a.lab:5000", "https://a.lab"),
        ] {
            assert!(!leads(name, url), "{name} {url}");
        }
    }

    #[test]
    fn docker_is_asked_elsewhere() {
        let url = |name: &str| name.parse::<RegistryHost>().unwrap().url().to_string();
        assert_eq!(url("docker.io"), "https://registry-1.docker.io");
        assert_eq!(url("a.lab:5000"), "https://a.lab:5000");
        assert_eq!(url("[fd00::9]"), "https://[fd00::9]");
    }
}
