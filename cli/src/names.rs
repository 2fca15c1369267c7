//! A node whose certificate is good, and for other names than the one it was asked for: most often it was renamed.

use std::net::IpAddr;

use rustls::CertificateError;

use crate::causes::refusal;

/// The certificate of a node has not the name it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the certificate there is not for {asked}, but for {}", self.list())]
pub(crate) struct OtherNames {
    /// The name that was expected.
    asked: String,
    /// Where the node was reached, `HOST:PORT`.
    address: String,
    /// The names that the certificate has.
    has: Vec<String>,
}

impl OtherNames {
    /// Why a connection to `address` failed, if this is why.
    pub(crate) fn of(error: &anyhow::Error, asked: &str, address: &str) -> Option<Self> {
        let has = match refusal(error)? {
            CertificateError::NotValidForNameContext { presented, .. } => {
                presented.iter().map(|name| bare(name)).collect()
            }
            CertificateError::NotValidForName => Vec::new(),
            _ => return None,
        };
        Some(Self {
            asked: asked.to_owned(),
            address: address.to_owned(),
            has,
        })
    }

    fn list(&self) -> String {
        if self.has.is_empty() {
            "no name at all".to_owned()
        } else {
            self.has.join(", ")
        }
    }

    /// What to do about it. That the node was renamed is a guess, and a person must know that it is.
    pub(crate) fn way_out(&self) -> String {
        let Self { address, .. } = self;
        let mut ways = Vec::new();
        if let Some(name) = self.has.iter().find(|name| is_own(name)) {
            ways.push(format!(
                "if that is the node you mean, `osctl context set-node {name}={address}` tells your context its name"
            ));
        }
        let host = host_of(address);
        if self.asked != host && self.has.iter().any(|name| name == host) {
            ways.push(format!("`-n {address}` asks whoever answers there"));
        }
        if ways.is_empty() {
            return "another node than this one answers there; compare the name and the address"
                .to_owned();
        }
        ways.push("otherwise compare the address".to_owned());
        ways.join("; ")
    }
}

/// The host of `HOST:PORT`, without the brackets of IPv6.
pub(crate) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether a name is a node's own, and neither an address nor what every node calls itself.
fn is_own(name: &str) -> bool {
    name != "localhost" && name.parse::<IpAddr>().is_err()
}

/// The name in rustls' description of it: `DnsName("a")`, `IpAddress(10.0.0.5)`.
fn bare(described: &str) -> String {
    let inner = described
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    let name = inner.map_or(described, |inner| inner.trim_matches('"'));
    // Addresses come in a form of rustls' own.
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::ServerName;

    use super::*;

    fn of(asked: &'static str, address: &str, presented: &[&str]) -> OtherNames {
        let refused = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from(asked).expect("a name"),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        let error = anyhow::Error::from(rustls::Error::from(refused));
        OtherNames::of(&error, asked, address).expect("other names")
    }

    #[test]
    fn a_renamed_node_is_told_with_both_names_and_what_to_type() {
        let names = [
            "DnsName(\"localhost\")",
            "DnsName(\"new\")",
            "IpAddress(127.0.0.1)",
            "IpAddress(0::1)",
        ];
        let error = anyhow::Error::from(of("old", "127.0.0.1:40001", &names));
        assert_eq!(
            crate::explain::sentence(&error),
            "the certificate there is not for old, but for localhost, new, 127.0.0.1, ::1 (if that is the node you \
             mean, `osctl context set-node new=127.0.0.1:40001` tells your context its name; `-n 127.0.0.1:40001` \
             asks whoever answers there; otherwise compare the address)"
        );
    }

    #[test]
    fn nothing_is_offered_that_would_fail_again() {
        let elsewhere = of("old", "10.0.0.9:50000", &["DnsName(\"new\")"]).way_out();
        assert!(
            elsewhere.contains("set-node new=10.0.0.9:50000"),
            "{elsewhere}"
        );
        assert!(!elsewhere.contains("-n "), "{elsewhere}");
        let nameless = of("old", "10.0.0.9:50000", &["IpAddress(10.0.0.5)"]).way_out();
        assert!(!nameless.contains("osctl"), "{nameless}");
        let none = of("old", "10.0.0.9:50000", &[]).to_string();
        assert!(none.ends_with("but for no name at all"), "{none}");
    }

    #[test]
    fn other_refusals_are_left_to_others() {
        let error = anyhow::Error::from(rustls::Error::from(CertificateError::UnknownIssuer));
        assert!(OtherNames::of(&error, "old", "10.0.0.9:50000").is_none());
    }
}
