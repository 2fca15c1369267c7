//! What to do so that links are as wanted: pure.
//!
//! A link that nobody mentions is left alone, with two exceptions that need no config: the loopback is up, and so is a link that
//! is to run DHCP. Nothing here ever takes a link down that no spec wants down.

use std::collections::BTreeMap;

use netlink::{Link, LinkChange};
use resources::net::{Dhcp4Spec, LinkName, LinkSpec};

/// One change of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// Its name.
    pub link: LinkName,
    /// Its number.
    pub index: u32,
    /// What changes.
    pub change: LinkChange,
}

/// The changes, and what could not be planned yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do.
    pub ops: Vec<Op>,
    /// What is missing for the rest, in words.
    pub waiting: Vec<String>,
}

/// Plans from the wanted links, the links that are to run DHCP, and the links there are.
#[must_use]
pub fn plan(wanted: &[LinkSpec], dhcp: &[Dhcp4Spec], observed: &[Link]) -> Plan {
    let mut plan = Plan::default();
    let mut goals: BTreeMap<LinkName, LinkChange> = BTreeMap::new();
    let up = LinkChange {
        up: Some(true),
        mtu: None,
    };
    let loopback = observed.iter().filter(|l| l.is_loopback());
    goals.extend(loopback.filter_map(|l| Some((l.name.parse().ok()?, up))));
    goals.extend(
        dhcp.iter()
            .filter(|d| d.enabled)
            .map(|d| (d.link.clone(), up)),
    );
    goals.extend(wanted.iter().map(|s| {
        let (up, mtu) = (Some(s.up), s.mtu);
        (s.name.clone(), LinkChange { up, mtu })
    }));
    for (name, goal) in goals {
        match observed.iter().find(|l| l.name == name.as_str()) {
            Some(link) => plan.ops.extend(difference(name, link, goal)),
            None => plan.waiting.push(format!("link {name}")),
        }
    }
    plan
}

fn difference(link: LinkName, is: &Link, goal: LinkChange) -> Option<Op> {
    let change = LinkChange {
        up: goal.up.filter(|up| *up != is.up),
        mtu: goal.mtu.filter(|mtu| *mtu != is.mtu),
    };
    (change != LinkChange::default()).then_some(Op {
        link,
        index: is.index,
        change,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, hardware_type: u16) -> Link {
        Link {
            index,
            name: name.to_owned(),
            hardware_type,
            mtu: 1500,
            ..Link::default()
        }
    }

    fn spec(name: &str, up: bool, mtu: Option<u32>) -> LinkSpec {
        LinkSpec {
            name: name.parse().unwrap(),
            up,
            mtu,
            ..LinkSpec::default()
        }
    }

    #[test]
    fn the_loopback_and_dhcp_links_come_up_by_themselves() {
        let links = [link(1, "lo", 772), link(2, "eth0", 1), link(3, "eth1", 1)];
        let dhcp = Dhcp4Spec {
            link: "eth0".parse().unwrap(),
            enabled: true,
            ..Dhcp4Spec::default()
        };
        let names: Vec<_> = plan(&[], std::slice::from_ref(&dhcp), &links)
            .ops
            .into_iter()
            .map(|o| o.link.to_string())
            .collect();
        assert_eq!(names, ["eth0", "lo"]);
        let off = spec("eth0", false, None);
        assert!(
            plan(&[off], &[dhcp], &links)
                .ops
                .iter()
                .all(|o| o.link.as_str() == "lo"),
            "a spec wins"
        );
    }

    #[test]
    fn only_what_differs_changes_and_then_nothing_does() {
        let mut links = [link(2, "eth0", 1)];
        let wanted = [spec("eth0", true, Some(9000)), spec("eth9", true, None)];
        let plan = plan(&wanted, &[], &links);
        assert_eq!(plan.waiting, ["link eth9"]);
        let [op] = &plan.ops[..] else {
            panic!("{plan:?}")
        };
        assert_eq!(
            (op.index, op.change.up, op.change.mtu),
            (2, Some(true), Some(9000))
        );
        (links[0].up, links[0].mtu) = (true, 9000);
        assert!(super::plan(&wanted, &[], &links).ops.is_empty());
    }
}
