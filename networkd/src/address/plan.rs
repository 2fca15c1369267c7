//! What to do so that links have the addresses that are wanted: pure.
//!
//! Ours is what carries the kernel tag. Everything else was there before us, or was put there by the kernel, and stays. What is right
//! already is not touched, so a restart of anything changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink::{Address, AddressScope, Link};
use resources::net::{AddressSpec, KERNEL_TAG, LinkName};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Put an address on a link, or our tag on one that nobody claims.
    Put(LinkName, Address),
    /// Take one of ours away.
    Remove(LinkName, Address),
}

/// The changes, in order, and what could not be planned yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do.
    pub ops: Vec<Op>,
    /// What is missing for the rest, in words.
    pub waiting: Vec<String>,
}

/// What tells addresses apart, for us and for the kernel.
type Key = (u32, IpAddr, u8);

fn key(address: &Address) -> Key {
    (address.index, address.address, address.length)
}

/// Plans from the wanted addresses, the links and the addresses there are. Nothing is removed unless that is allowed.
#[must_use]
pub fn plan(wanted: &[AddressSpec], links: &[Link], observed: &[Address], deletions: bool) -> Plan {
    let mut plan = Plan::default();
    let indices: BTreeMap<&str, u32> = links.iter().map(|l| (l.name.as_str(), l.index)).collect();
    let there: BTreeMap<Key, &Address> = observed.iter().map(|a| (key(a), a)).collect();
    let mut keep = BTreeSet::new();
    for spec in wanted {
        let Some(index) = indices.get(spec.link.as_str()) else {
            plan.waiting
                .push(format!("link {} for address {}", spec.link, spec.address));
            continue;
        };
        let address = kernel_form(spec, *index);
        let nobodys = there.get(&key(&address)).is_none_or(|a| a.protocol == 0);
        if keep.insert(key(&address)) && nobodys {
            plan.ops.push(Op::Put(spec.link.clone(), address));
        }
    }
    if deletions {
        let ours = observed.iter().filter(|a| a.protocol == KERNEL_TAG);
        for address in ours.filter(|a| !keep.contains(&key(a))) {
            let link = links.iter().find(|l| l.index == address.index);
            // An address on a link that is gone is gone with it.
            if let Some(Ok(link)) = link.map(|l| l.name.parse()) {
                plan.ops.push(Op::Remove(link, address.clone()));
            }
        }
    }
    plan
}

fn kernel_form(spec: &AddressSpec, index: u32) -> Address {
    Address {
        index,
        address: spec.address.address(),
        length: spec.address.length(),
        protocol: KERNEL_TAG,
        scope: AddressScope::Global,
        tentative: false,
        permanent: true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn links() -> Vec<Link> {
        let link = |index, name: &str| Link {
            index,
            name: name.to_owned(),
            ..Link::default()
        };
        vec![link(1, "lo"), link(2, "eth0"), link(3, "eth1")]
    }

    fn spec() -> impl Strategy<Value = AddressSpec> {
        let link = prop_oneof![Just("eth0"), Just("eth1"), Just("gone0")];
        (link, 1..4_u8, 23..26_u8, any::<bool>()).prop_map(|(link, host, length, v6)| AddressSpec {
            address: if v6 {
                format!("2001:db8::{host}/64")
            } else {
                format!("192.0.2.{host}/{length}")
            }
            .parse()
            .unwrap(),
            link: link.parse().unwrap(),
            ..AddressSpec::default()
        })
    }

    fn observed() -> impl Strategy<Value = Address> {
        let tag = prop_oneof![Just(0), Just(1), Just(3), Just(KERNEL_TAG)];
        (spec(), tag, 1..4_u32).prop_map(|(spec, protocol, index)| Address {
            protocol,
            ..kernel_form(&spec, index)
        })
    }

    /// The kernel's table after the operations, and whether something was added twice or removed without being there.
    fn apply(mut table: BTreeMap<Key, Address>, ops: &[Op]) -> BTreeMap<Key, Address> {
        for op in ops {
            match op {
                Op::Put(_, a) => drop(table.insert(key(a), a.clone())),
                Op::Remove(_, a) => {
                    assert!(table.remove(&key(a)).is_some(), "removed what is not there")
                }
            }
        }
        table
    }

    proptest! {
        #[test]
        fn converges_and_takes_nothing_of_others(
            wanted in proptest::collection::vec(spec(), 0..8),
            observed in proptest::collection::vec(observed(), 0..8),
            deletions in any::<bool>(),
        ) {
            let before: BTreeMap<Key, Address> = observed.iter().map(|a| (key(a), a.clone())).collect();
            let observed: Vec<_> = before.values().cloned().collect();
            let plan = plan(&wanted, &links(), &observed, deletions);
            let after = apply(before.clone(), &plan.ops);
            // What is wanted on a link that exists is there.
            for spec in &wanted {
                match links().iter().find(|l| l.name == spec.link.as_str()) {
                    Some(link) => prop_assert!(after.contains_key(&key(&kernel_form(spec, link.index)))),
                    None => prop_assert!(!plan.waiting.is_empty()),
                }
            }
            for op in &plan.ops {
                match op {
                    // What is right is not touched: an address that someone claims is never put again.
                    Op::Put(_, a) => prop_assert!(before.get(&key(a)).is_none_or(|b| b.protocol == 0)),
                    // Only ours goes, only when allowed, and never what is wanted.
                    Op::Remove(_, a) => {
                        prop_assert!(deletions && a.protocol == KERNEL_TAG);
                        let same = |s: &AddressSpec, l: &Link| l.name == s.link.as_str() && key(&kernel_form(s, l.index)) == key(a);
                        let wanted = wanted.iter().any(|s| links().iter().any(|l| same(s, l)));
                        prop_assert!(!wanted);
                    }
                }
            }
            // With leave to delete, nothing of ours is left over; and a second plan finds nothing to do.
            let table: Vec<_> = after.values().cloned().collect();
            prop_assert!(super::plan(&wanted, &links(), &table, deletions).ops.is_empty());
        }
    }

    #[test]
    fn a_restart_changes_nothing() {
        let spec = AddressSpec {
            address: "192.0.2.1/24".parse().unwrap(),
            link: "eth0".parse().unwrap(),
            ..AddressSpec::default()
        };
        let table = [kernel_form(&spec, 2)];
        assert_eq!(plan(&[spec], &links(), &table, true), Plan::default());
        assert_eq!(
            plan(&[], &links(), &table, false),
            Plan::default(),
            "absence is no proof"
        );
    }
}
