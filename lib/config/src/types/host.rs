//! A host, alone or with a port as in a URL.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use derive::Schema;

use super::{Hostname, address};

/// A host: its name or its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub enum Host {
    /// By its address.
    Address(IpAddr),
    /// By a name, which the node's name servers are asked for.
    Name(Hostname),
}

/// Why a text is no host with a port.
pub(crate) enum HostFault {
    /// No port, or none that there is.
    Port,
    /// An IPv6 address that its port runs into.
    Brackets,
    /// Neither an address nor a name, in words.
    Host(String),
}

impl Host {
    /// Reads `HOST:PORT`; the port is never 0. `what` is what cannot be at an address that no host has.
    pub(crate) fn with_port(text: &str, what: &str) -> Result<(Self, u16), HostFault> {
        let (host, port) = text.rsplit_once(':').ok_or(HostFault::Port)?;
        let bracketed = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if bracketed.is_none() && host.contains([':', '[', ']']) {
            return Err(HostFault::Brackets);
        }
        let digits = !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
        let port = port.parse().ok().filter(|it| digits && *it != 0);
        let port = port.ok_or(HostFault::Port)?;
        let address = |text| {
            let found = address::of_a_host(text, what);
            found.map(Self::Address).map_err(HostFault::Host)
        };
        let like_an_address = host.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        let host = match bracketed {
            Some(six) => address(six)?,
            None if like_an_address => address(host)?,
            None => Self::Name(host.parse().map_err(|error| {
                HostFault::Host(format!(
                    "`{host}` is neither an address nor a name: {error}"
                ))
            })?),
        };
        Ok((host, port))
    }

    /// As it stands before the port.
    pub(crate) fn in_url(&self) -> String {
        match self {
            Self::Address(IpAddr::V6(it)) => format!("[{it}]"),
            host => host.to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(it) => it.fmt(f),
            Self::Name(it) => it.fmt(f),
        }
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| address::of_a_host(text, "a host").map(Self::Address);
        if text.parse::<IpAddr>().is_ok() {
            return address(text);
        }
        // What begins like an address is meant as one; only names of digits and dots would be another matter, and there are none.
        let like_an_address = text.contains([':', '/', '%'])
            || text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        if like_an_address {
            return address(text);
        }
        text.parse()
            .map(Self::Name)
            .map_err(|error| format!("`{text}` is neither an address nor a name: {error}"))
    }
}

super::as_text!(Host);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        for text in ["10.0.0.1", "fd00::1", "ntp.example.org", "ntp"] {
            let host: Host = text.parse().unwrap();
            assert_eq!(host.to_string(), text);
        }
        for (text, reason) in [
            ("0.0.0.0", "0.0.0.0 cannot be a host"),
            (
                "10.0.0.1:123",
                "`10.0.0.1:123` is not an IPv4 or IPv6 address; write it without a port",
            ),
            ("10.0.0", "`10.0.0` is not an IPv4 or IPv6 address"),
            (
                "ntp_1",
                "`ntp_1` is neither an address nor a name: a host name has only letters, digits, `-` and `.`, not '_'",
            ),
        ] {
            assert_eq!(text.parse::<Host>(), Err(reason.to_owned()));
        }
    }
}
