//! Who is a member of the cluster, and where. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use resources::kubernetes::NodeStatus;

/// The members by name, with their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeMap<String, Vec<IpAddr>>);

impl Members {
    /// As the cluster has them. Nodes say their own addresses, so none is taken that would lead to this node itself or to several.
    pub fn of<'a>(nodes: impl IntoIterator<Item = (&'a str, &'a NodeStatus)>) -> Self {
        let one = |(name, status): (&str, &NodeStatus)| {
            let addresses = status.addresses.iter().filter_map(|it| it.parse().ok());
            (name.to_owned(), addresses.filter(is_one_host).collect())
        };
        Self(nodes.into_iter().map(one).collect())
    }

    /// These, whatever their addresses are.
    #[must_use]
    pub fn at(members: BTreeMap<String, Vec<IpAddr>>) -> Self {
        Self(members)
    }

    /// The addresses that a name stands for; an address of a member stands for itself.
    #[must_use]
    pub fn find(&self, asked: &str) -> Option<Vec<IpAddr>> {
        if let Some(addresses) = self.0.get(asked) {
            return Some(addresses.clone());
        }
        let asked: IpAddr = asked.parse().ok()?;
        let known = self.0.values().any(|it| it.contains(&asked));
        known.then(|| vec![asked])
    }

    /// Their names, for people.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<_> = self.0.keys().map(String::as_str).collect();
        if names.is_empty() {
            return "nobody yet".to_owned();
        }
        names.join(", ")
    }
}

fn is_one_host(address: &IpAddr) -> bool {
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_name_and_address_and_nobody_else_is() {
        let node = |addresses: &[&str]| NodeStatus {
            addresses: addresses.iter().map(|&it| it.to_owned()).collect(),
            ..NodeStatus::default()
        };
        let (one, two) = (
            node(&["10.5.0.2", "fd00::2"]),
            node(&["127.0.0.1", "::", "224.0.0.1", "what", "10.5.0.3"]),
        );
        let members = Members::of([("cp-1", &one), ("worker-1", &two)]);
        let found = |asked: &str| {
            let found = members.find(asked)?;
            Some(found.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(found("cp-1").unwrap(), ["10.5.0.2", "fd00::2"]);
        assert_eq!(found("worker-1").unwrap(), ["10.5.0.3"]);
        assert_eq!(found("fd00:0::2").unwrap(), ["fd00::2"]);
        for nobody in ["worker-2", "10.5.0.4", "127.0.0.1", "::", ""] {
            assert_eq!(found(nobody), None, "{nobody}");
        }
        assert_eq!(members.names(), "cp-1, worker-1");
    }
}
