//! What is reached without the proxy.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use derive::Schema;

use super::{Hostname, Network};

/// What is reached without a proxy: a name with all below it, as `example.org` or `.example.org` (only what is below), an address, a
/// network as `10.0.0.0/8`, or `*` for everything; a name or an IPv4 address may end with a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct NoProxy(String);

/// Why a text says nothing of what is reached without a proxy. No variant repeats the text: it may be a URL with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProxyError {
    /// A comma is what programs part them by.
    #[error("this is more than one; write each as an item of its own")]
    Several,
    /// A URL.
    #[error("this is a URL; write the name or the address alone")]
    Url,
    /// Anything else.
    #[error("this is no name, address, network or `*`")]
    Unknown,
}

impl FromStr for NoProxy {
    type Err = NoProxyError;

    fn from_str(text: &str) -> Result<Self, NoProxyError> {
        if text.contains([',', ' ']) {
            return Err(NoProxyError::Several);
        }
        if text.contains("://") {
            return Err(NoProxyError::Url);
        }
        let whole =
            text == "*" || text.parse::<IpAddr>().is_ok() || text.parse::<Network>().is_ok();
        if whole || is_named(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(NoProxyError::Unknown)
    }
}

/// A name, or an IPv4 address with a port.
fn is_named(text: &str) -> bool {
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if port.is_some_and(|it| !digits(it) || !it.parse::<u16>().is_ok_and(|it| it != 0)) {
        return false;
    }
    if host.bytes().all(|it| it.is_ascii_digit() || it == b'.') {
        return host.parse::<IpAddr>().is_ok();
    }
    let name = host.strip_prefix("*.").or_else(|| host.strip_prefix('.'));
    name.unwrap_or(host).parse::<Hostname>().is_ok()
}

impl fmt::Display for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(NoProxy);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_proxy() {
        for text in [
            "*",
            "localhost",
            "example.org",
            ".example.org",
            "*.example.org:8443",
            "10.0.0.5",
            "10.0.0.5:80",
            "10.0.0.0/8",
            "fd00::5",
            "fd00::/8",
        ] {
            assert_eq!(
                text.parse::<NoProxy>().map(|it| it.to_string()),
                Ok(text.into())
            );
        }
        for (text, error) in [
            ("", NoProxyError::Unknown),
            ("*.*", NoProxyError::Unknown),
            ("10.0.0.256", NoProxyError::Unknown),
            ("10.0.0.1/8", NoProxyError::Unknown),
            ("a:b", NoProxyError::Unknown),
            ("a:0", NoProxyError::Unknown),
            ("[fd00::5]:80", NoProxyError::Unknown),
            ("a,b", NoProxyError::Several),
            ("http://a", NoProxyError::Url),
        ] {
            assert_eq!(text.parse::<NoProxy>(), Err(error), "{text}");
        }
    }
}
