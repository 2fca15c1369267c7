//! Where something is fetched from.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::host::{Host, HostFault};

/// A URL of a web server: `https://HOST/PATH`, with `:PORT` behind the host where it is not the usual one. It is no place for secrets:
/// it is shown to everybody, and there is nothing before the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct WebUrl {
    secure: bool,
    host: Host,
    port: Option<u16>,
    /// With the slash it begins with, and a query; or empty.
    path: String,
}

/// Why a text is no such URL. No variant repeats the text: somebody may have put a password into it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebUrlError {
    /// Another protocol, or none.
    #[error("a URL begins with https:// or http://")]
    Protocol,
    /// A user.
    #[error("nothing stands before the host of a URL: it is shown to everybody")]
    User,
    /// A character that must be escaped.
    #[error(
        "a URL has only letters, digits and -._~!$&'()*+,;=:@%/? behind its host; others are escaped, as `%20` for a space"
    )]
    Path,
    /// No port that there is.
    #[error("the port of a URL is a number from 1 to 65535")]
    Port,
    /// An IPv6 address that its port runs into.
    #[error("an IPv6 address stands in brackets, like https://[fd00::9]/")]
    Brackets,
    /// Neither an address nor a name.
    #[error("{0}")]
    Host(String),
}

impl WebUrl {
    /// Of a server over TLS, without a path.
    pub(crate) fn of_server(host: Host, port: Option<u16>) -> Self {
        Self {
            secure: true,
            host,
            port,
            path: String::new(),
        }
    }

    /// Whether the server proves itself.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.secure
    }

    /// The server.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.secure { 443 } else { 80 })
    }

    /// What stands behind the host and the port: nothing, or a path with the slash it begins with, and a query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for WebUrl {
    type Err = WebUrlError;

    fn from_str(text: &str) -> Result<Self, WebUrlError> {
        let (secure, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(WebUrlError::Protocol),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (place, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if place.contains('@') {
            return Err(WebUrlError::User);
        }
        let fits = |it: u8| it.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&it);
        if !path.bytes().all(fits) || path.starts_with('?') {
            return Err(WebUrlError::Path);
        }
        // Behind the last bracket, or anywhere without one, a colon is that of a port.
        let bracket = place.rfind(']').map_or(0, |it| it + 1);
        let with_port = place.get(bracket..).is_some_and(|it| it.contains(':'));
        let whole = match with_port {
            true => place.to_owned(),
            false => format!("{place}:443"),
        };
        let host = Host::with_port(&whole, "a server");
        let (host, port) = host.map_err(|fault| match fault {
            HostFault::Port => WebUrlError::Port,
            HostFault::Brackets => WebUrlError::Brackets,
            HostFault::Host(why) => WebUrlError::Host(why),
        })?;
        Ok(Self {
            secure,
            host,
            port: with_port.then_some(port),
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host.in_url())?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

super::as_text!(WebUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, port, path) in [
            ("https://example.org", 443, ""),
            ("http://example.org/", 80, "/"),
            ("https://10.0.0.9:8443/a/b%20c?d=e", 8443, "/a/b%20c?d=e"),
            ("https://[fd00::9]/a", 443, "/a"),
            ("https://[fd00::9]:1", 1, ""),
        ] {
            let url: WebUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
            assert_eq!((url.port(), url.path()), (port, path), "{text}");
            assert_eq!(url.is_https(), text.starts_with("https"), "{text}");
        }
    }

    #[test]
    fn no_urls() {
        let error = |text: &str| text.parse::<WebUrl>().unwrap_err();
        for (text, why) in [
            ("example.org", WebUrlError::Protocol),
            ("ftp://example.org", WebUrlError::Protocol),
            ("https://user:hunter2@example.org", WebUrlError::User),
            ("https://example.org/a b", WebUrlError::Path),
            ("https://example.org#a", WebUrlError::Path),
            ("https://example.org?a", WebUrlError::Path),
            ("https://example.org:0/", WebUrlError::Port),
            ("https://fd00::9/", WebUrlError::Brackets),
        ] {
            assert_eq!(error(text), why, "{text}");
        }
        for text in ["https://", "https://a_b/", "https://0.0.0.0/"] {
            assert!(matches!(error(text), WebUrlError::Host(_)), "{text}");
        }
    }
}
