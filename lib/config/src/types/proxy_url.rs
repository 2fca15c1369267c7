//! Where a proxy is, and what it lets somebody in with.
//!
//! What stands before the `@` is a secret: it does not show itself in `Debug`, in messages or in redacted documents, and there
//! is no `Display`. Writing it out is what `Serialize` and [`ProxyUrl::to_url`] do, on a document that was not redacted.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Hostname;
use crate::REDACTED;
use crate::schema::{Schema, Shape};

/// The URL of an HTTP proxy: `http://HOST:PORT` or `https://HOST:PORT`, with `USER:PASSWORD@` before the host where it wants that.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    scheme: &'static str,
    /// As it stands in the URL, escapes and all.
    credentials: Option<String>,
    /// With its brackets, where it is an IPv6 address.
    host: String,
    port: u16,
}

/// Why a text is no URL of a proxy. No variant repeats the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// Another scheme, or none.
    #[error("a proxy is written as http://HOST:PORT or https://HOST:PORT")]
    Scheme,
    /// More than where the proxy is.
    #[error("the URL of a proxy ends with its port: nothing stands behind it")]
    Path,
    /// What an output has in the place of a secret.
    #[error("a redacted secret cannot be read back; put the real user and password here")]
    Redacted,
    /// A character that an URL has not before its `@`.
    #[error(
        "the user or the password of the proxy holds a character that has to be escaped, as `%40` for `@`"
    )]
    Credentials,
    /// No name and no address.
    #[error(
        "the host of the proxy is neither a name nor an address; an IPv6 address stands in brackets"
    )]
    Host,
    /// Programs do not agree on the one that is meant without it.
    #[error("the URL of a proxy needs its port, from 1 to 65535, as in http://proxy.example:3128")]
    Port,
}

impl ProxyUrl {
    /// The URL, secrets included.
    #[must_use]
    pub fn to_url(&self) -> String {
        let at = self.credentials.as_ref().map(|it| format!("{it}@"));
        let at = at.unwrap_or_default();
        format!("{}://{at}{}:{}", self.scheme, self.host, self.port)
    }
}

impl Schema for ProxyUrl {
    fn shape() -> Shape {
        Shape::Text {
            about: "`http://HOST:PORT` or `https://HOST:PORT`, with `USER:PASSWORD@` before the host where the proxy wants \
                    it, which is a secret."
                .to_owned(),
            secret: false,
        }
    }

    fn redact(&mut self) {
        if let Some(credentials) = &mut self.credentials {
            REDACTED.clone_into(credentials);
        }
    }
}

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyUrlError::Scheme)?;
        let scheme = ["http", "https"].into_iter().find(|it| *it == scheme);
        let scheme = scheme.ok_or(ProxyUrlError::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        match credentials {
            Some(REDACTED) => return Err(ProxyUrlError::Redacted),
            Some(it) if !are_credentials(it) => return Err(ProxyUrlError::Credentials),
            _ => {}
        }
        if place.contains(['/', '?', '#']) {
            return Err(ProxyUrlError::Path);
        }
        let (host, port) = parted(place).ok_or(ProxyUrlError::Port)?;
        if !is_host(host) {
            return Err(ProxyUrlError::Host);
        }
        Ok(Self {
            scheme,
            credentials: credentials.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    }
}

/// RFC 3986, section 3.2.1; not empty.
fn are_credentials(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&it);
    !text.is_empty() && text.bytes().all(plain)
}

/// The host and the port.
fn parted(place: &str) -> Option<(&str, u16)> {
    let (host, port) = place.rsplit_once(':')?;
    // A colon of an IPv6 address that is alone.
    let digits = !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
    let port = port.parse().ok().filter(|it| digits && *it != 0)?;
    Some((host, port))
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        // A name of digits and dots is an address that is wrong.
        None if text.bytes().all(|it| it.is_ascii_digit() || it == b'.') => {
            text.parse::<std::net::Ipv4Addr>().is_ok()
        }
        None => text.parse::<Hostname>().is_ok(),
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut safe = self.clone();
        safe.redact();
        f.write_str(&safe.to_url())
    }
}

impl<'de> Deserialize<'de> for ProxyUrl {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(&self.to_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies() {
        for url in [
            "http://proxy.example:3128",
            "https://10.0.0.7:443",
            "http://[fd00::7]:3128",
            "http://me:pa%40ss@proxy:3128",
        ] {
            assert_eq!(
                url.parse::<ProxyUrl>().map(|it| it.to_url()),
                Ok(url.into())
            );
        }
        let closed = "http://proxy:3128/".parse::<ProxyUrl>();
        assert_eq!(closed.map(|it| it.to_url()), Ok("http://proxy:3128".into()));
    }

    #[test]
    fn no_proxies() {
        for (url, error) in [
            ("proxy:3128", ProxyUrlError::Scheme),
            ("socks5://proxy:1080", ProxyUrlError::Scheme),
            ("http://proxy", ProxyUrlError::Port),
            ("http://proxy:0", ProxyUrlError::Port),
            ("http://proxy:+80", ProxyUrlError::Port),
            ("http://proxy:65536", ProxyUrlError::Port),
            ("http://proxy:3128/path", ProxyUrlError::Path),
            ("http://fd00::7:3128", ProxyUrlError::Host),
            ("http://10.0.0.256:3128", ProxyUrlError::Host),
            ("http://:3128", ProxyUrlError::Host),
            ("http://a b@proxy:3128", ProxyUrlError::Credentials),
            ("http://@proxy:3128", ProxyUrlError::Credentials),
            ("http://a@b@proxy:3128", ProxyUrlError::Credentials),
            ("http://**redacted**@proxy:3128", ProxyUrlError::Redacted),
        ] {
            assert_eq!(url.parse::<ProxyUrl>(), Err(error), "{url}");
        }
    }

    #[test]
    fn a_password_does_not_show_itself() {
        let mut url: ProxyUrl = "http://me:SECRET@proxy:3128".parse().unwrap();
        assert_eq!(format!("{url:?}"), "http://**redacted**@proxy:3128");
        url.redact();
        assert_eq!(url.to_url(), "http://**redacted**@proxy:3128");
        let mut open: ProxyUrl = "http://proxy:3128".parse().unwrap();
        open.redact();
        assert_eq!(open.to_url(), "http://proxy:3128");
    }
}
