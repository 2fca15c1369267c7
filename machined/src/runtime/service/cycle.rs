//! Services that wait for themselves, by way of others.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::{Name, Rules};

/// Every service on a way that leads back to itself, with that way: `a -> b -> a`. Of several ways it is a shortest.
pub(super) fn cycles(wanted: &BTreeMap<Name, &Rules>) -> BTreeMap<Name, String> {
    let ways = wanted
        .keys()
        .filter_map(|name| Some((name.clone(), way_back(name, wanted)?)));
    ways.collect()
}

fn way_back(start: &Name, wanted: &BTreeMap<Name, &Rules>) -> Option<String> {
    // From where each one was reached first.
    let mut from: BTreeMap<&Name, &Name> = BTreeMap::new();
    let mut edge: BTreeSet<&Name> = BTreeSet::from([start]);
    while !edge.is_empty() {
        let mut next = BTreeSet::new();
        for at in edge {
            let rules = wanted.get(at);
            for other in rules.into_iter().flat_map(|rules| rules.before_it()) {
                if other == start {
                    return Some(told(start, at, &from));
                }
                if wanted.contains_key(other) && !from.contains_key(other) {
                    from.insert(other, at);
                    next.insert(other);
                }
            }
        }
        edge = next;
    }
    None
}

fn told(start: &Name, last: &Name, from: &BTreeMap<&Name, &Name>) -> String {
    let mut way = vec![start];
    let mut at = last;
    while at != start {
        way.push(at);
        // Every one that was reached but the first was reached from one.
        let Some(before) = from.get(at) else { break };
        at = before;
    }
    way.push(start);
    way.reverse();
    let names: Vec<_> = way.iter().map(ToString::to_string).collect();
    names.join(" -> ")
}
