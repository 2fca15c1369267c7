//! Where the time is asked for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use derive::Schema;

use super::{Host, Hostname};

/// A time server: its name or its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub enum TimeServer {
    /// An address, which is asked as it is.
    Address(IpAddr),
    /// A name, which the node's name servers are asked for.
    Name(Hostname),
}

impl FromStr for TimeServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Host::without_port(text, "a time server").map(|host| match host {
            Host::Address(it) => Self::Address(it),
            Host::Name(it) => Self::Name(it),
        })
    }
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(it) => it.fmt(f),
            Self::Name(it) => it.fmt(f),
        }
    }
}

super::as_text!(TimeServer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        for text in ["10.0.0.1", "fd00::1", "ntp.example.org", "ntp"] {
            let server: TimeServer = text.parse().unwrap();
            assert_eq!(server.to_string(), text);
        }
        for (text, reason) in [
            ("0.0.0.0", "0.0.0.0 cannot be a time server"),
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
            assert_eq!(text.parse::<TimeServer>(), Err(reason.to_owned()));
        }
    }
}
