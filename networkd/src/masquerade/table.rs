//! The table as `nft` reads it. Pure.

use std::fmt::Write as _;

use resources::net::{Cidr, LinkName, MasqueradeSpec};
use thiserror::Error;

/// The table's family and name.
pub(super) const NAME: [&str; 2] = ["inet", "garboard"];

/// What everybody on a link hears has no way back: RFC 5771 with the broadcast address, RFC 4291.
const FOR_ALL_V4: [&str; 2] = ["224.0.0.0/4", "255.255.255.255/32"];
const FOR_ALL_V6: [&str; 1] = ["ff00::/8"];

/// A spec of which there is no table.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("rules cannot name the link {0}: letters, digits, `.`, `_` and `-`")]
pub(super) struct LinkError(LinkName);

/// Makes the table what it should be, in one step, whatever it was.
pub(super) fn text(spec: &MasqueradeSpec) -> Result<String, LinkError> {
    let plain = |it: char| it.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&it);
    if !spec.inside.as_str().chars().all(plain) {
        return Err(LinkError(spec.inside.clone()));
    }
    let mut text = none();
    let [family, name] = NAME;
    let mut rules = String::new();
    for (is_v6, header, for_all) in [(false, "ip", &FOR_ALL_V4[..]), (true, "ip6", &FOR_ALL_V6)] {
        let of = |ranges: &[Cidr]| -> Vec<Cidr> {
            let ranges = ranges.iter().map(Cidr::network);
            ranges
                .filter(|it| it.address().is_ipv6() == is_v6)
                .collect()
        };
        let sources = of(&spec.sources);
        if sources.is_empty() {
            continue;
        }
        let for_all = for_all.iter().filter_map(|it| it.parse().ok());
        let except = sources
            .iter()
            .copied()
            .chain(of(&spec.except))
            .chain(for_all);
        let (sources, except) = (set(sources.clone()), set(except.collect()));
        // Ports are chosen at random: two connections at once that were given the same one would cost one of them its first packet.
        rules += &format!(
            "\t\toifname != \"{}\" {header} saddr {sources} {header} daddr != {except} masquerade fully-random\n",
            spec.inside
        );
    }
    let chain =
        "\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n";
    let written = write!(text, "table {family} {name} {{\n{chain}{rules}\t}}\n}}\n");
    debug_assert!(written.is_ok(), "text takes text");
    Ok(text)
}

/// Takes the table away, also where there is none.
pub(super) fn none() -> String {
    let [family, name] = NAME;
    format!("table {family} {name}\ndelete table {family} {name}\n")
}

/// A set of ranges. Those inside of others go: `nft` takes no two that overlap.
fn set(mut ranges: Vec<Cidr>) -> String {
    ranges.sort_by_key(|it| (it.length(), it.address()));
    let mut outer: Vec<Cidr> = Vec::new();
    for range in ranges {
        if !outer.iter().any(|it| it.contains(range.address())) {
            outer.push(range);
        }
    }
    let texts: Vec<_> = outer.iter().map(Cidr::to_string).collect();
    format!("{{ {} }}", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(ranges: &[&str]) -> Vec<Cidr> {
        ranges.iter().map(|it| it.parse().unwrap()).collect()
    }

    #[test]
    fn both_families_are_masqueraded_but_for_one_another_and_services() {
        let spec = MasqueradeSpec {
            sources: ranges(&["10.244.0.0/16", "fd00:1::/56"]),
            except: ranges(&["10.96.0.0/12", "fd00:2::/112"]),
            inside: "cni0".parse().unwrap(),
        };
        assert_eq!(text(&spec).unwrap(), include_str!("both.nft"));
    }

    #[test]
    fn a_family_without_senders_has_no_rule() {
        let spec = MasqueradeSpec {
            sources: ranges(&["10.244.0.0/16"]),
            except: ranges(&["fd00:2::/112"]),
            inside: "cni0".parse().unwrap(),
        };
        let text = text(&spec).unwrap();
        assert!(text.contains("ip saddr") && !text.contains("ip6"), "{text}");
    }

    #[test]
    fn no_two_ranges_of_a_set_overlap() {
        let nested = ranges(&["10.244.3.0/24", "10.0.0.0/8", "192.0.2.0/24", "10.0.0.0/8"]);
        assert_eq!(set(nested), "{ 10.0.0.0/8, 192.0.2.0/24 }");
    }

    #[test]
    fn the_name_of_a_link_cannot_be_read_as_a_rule() {
        for name in ["a\"", "a*", "a;b", "a{"] {
            let spec = MasqueradeSpec {
                inside: name.parse().unwrap(),
                ..MasqueradeSpec::default()
            };
            assert!(text(&spec).is_err(), "{name}");
        }
    }
}
